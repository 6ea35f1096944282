import Foundation

/// This is a plot as SVG text: lines or bars over two axes, readable without the internet and in print.
///
/// It draws what it is given and chooses nothing but ticks; numbers are rounded to a tenth of a pixel, so that
/// equal data give equal bytes.
struct Figure {
    /// This is one axis, from `low` to `high`.
    struct Axis {
        var title: String
        var low: Double
        var high: Double
        /// Where lines and numbers are.
        var ticks: [Double]
        var isLogarithmic = false

        /// 0 at the low end, 1 at the high end; beyond them it stays there.
        func place(_ value: Double) -> Double {
            let (value, low, high) =
                isLogarithmic
                ? (log(max(value, self.low)), log(low), log(high))
                : (value, low, high)
            return min(1, max(0, (value - low) / (high - low)))
        }
    }

    /// This is one named line, or a level that is dashed.
    struct Line {
        var name: String
        var points: [(x: Double, y: Double)]
        var isDashed = false
    }

    /// This is a group of bars, one for each name of the figure.
    struct BarGroup {
        var title: String
        /// By name; nil where there is none.
        var values: [Double?]
    }

    private static let size = (width: 760.0, height: 420.0)
    private static let margin = (left: 64.0, right: 236.0, top: 40.0, bottom: 52.0)
    /// Distinct also to those who see no red and green: Okabe and Ito, 2008.
    private static let colours = [
        "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999",
    ]

    private var body: [String] = []
    private let y: Axis
    private var legendCount = 0

    private static var plot: (width: Double, height: Double) {
        (
            size.width - margin.left - margin.right, size.height - margin.top - margin.bottom
        )
    }

    /// Draws lines.
    static func lines(_ title: String, x: Axis, y: Axis, _ lines: [Line]) -> String {
        var figure = Figure(title, y)
        for tick in x.ticks {
            let place = margin.left + x.place(tick) * plot.width
            figure.text(number(tick), place, size.height - margin.bottom + 18, "middle")
        }
        figure.text(x.title, margin.left + plot.width / 2, size.height - 12, "middle")
        for (index, line) in lines.enumerated() {
            let points = line.points.map { point in
                "\(pixel(margin.left + x.place(point.x) * plot.width)),"
                    + "\(pixel(figure.height(of: point.y)))"
            }
            let dash = line.isDashed ? " stroke-dasharray=\"6 4\"" : ""
            figure.body.append(
                "<polyline fill=\"none\" stroke=\"\(colours[index % colours.count])\" "
                    + "stroke-width=\"2\"\(dash) points=\"\(points.joined(separator: " "))\"/>")
            figure.legend(line.name, index)
        }
        return figure.document
    }

    /// Draws groups of bars, with a dashed line at `level`.
    static func bars(
        _ title: String, y: Axis, names: [String], groups: [BarGroup], level: Double
    ) -> String {
        var figure = Figure(title, y)
        let groupWidth = plot.width / Double(max(1, groups.count))
        let barWidth = groupWidth * 0.86 / Double(max(1, names.count))
        for (place, group) in groups.enumerated() {
            let left = margin.left + Double(place) * groupWidth + groupWidth * 0.07
            figure.text(
                group.title, left + groupWidth * 0.43, size.height - margin.bottom + 18, "middle")
            for (index, value) in group.values.enumerated() {
                guard let value else { continue }
                let top = figure.height(of: value)
                let bottom = figure.height(of: y.low)
                figure.body.append(
                    "<rect x=\"\(pixel(left + Double(index) * barWidth))\" y=\"\(pixel(top))\" "
                        + "width=\"\(pixel(barWidth * 0.9))\" "
                        + "height=\"\(pixel(max(1, bottom - top)))\" "
                        + "fill=\"\(colours[index % colours.count])\"/>")
            }
        }
        for (index, name) in names.enumerated() { figure.legend(name, index) }
        let height = pixel(figure.height(of: level))
        figure.body.append(
            "<line x1=\"\(pixel(margin.left))\" x2=\"\(pixel(margin.left + plot.width))\" "
                + "y1=\"\(height)\" y2=\"\(height)\" stroke=\"#000\" stroke-dasharray=\"6 4\"/>")
        return figure.document
    }

    private init(_ title: String, _ y: Axis) {
        self.y = y
        let middle = Self.margin.left + Self.plot.width / 2
        text(title, middle, 22, "middle", "font-weight=\"bold\"")
        for tick in y.ticks {
            let place = height(of: tick)
            body.append(
                "<line x1=\"\(Self.pixel(Self.margin.left))\" "
                    + "x2=\"\(Self.pixel(Self.margin.left + Self.plot.width))\" "
                    + "y1=\"\(Self.pixel(place))\" y2=\"\(Self.pixel(place))\" stroke=\"#ddd\"/>")
            text(Self.number(tick), Self.margin.left - 8, place + 4, "end")
        }
        let centre = Self.margin.top + Self.plot.height / 2
        text(y.title, 16, centre, "middle", "transform=\"rotate(-90 16 \(Self.pixel(centre)))\"")
    }

    private func height(of value: Double) -> Double {
        Self.margin.top + (1 - y.place(value)) * Self.plot.height
    }

    private mutating func legend(_ name: String, _ index: Int) {
        let left = Self.size.width - Self.margin.right + 16
        let top = Self.margin.top + 8 + Double(legendCount) * 22
        body.append(
            "<rect x=\"\(Self.pixel(left))\" y=\"\(Self.pixel(top - 9))\" width=\"12\" height=\"12\" "
                + "fill=\"\(Self.colours[index % Self.colours.count])\"/>")
        text(name, left + 18, top + 1.5, "start")
        legendCount += 1
    }

    private mutating func text(
        _ text: String, _ x: Double, _ y: Double, _ anchor: String, _ attributes: String = ""
    ) {
        let safe = text.replacingOccurrences(of: "&", with: "&amp;")
            .replacingOccurrences(of: "<", with: "&lt;")
        body.append(
            "<text x=\"\(Self.pixel(x))\" y=\"\(Self.pixel(y))\" text-anchor=\"\(anchor)\" "
                + "\(attributes)>\(safe)</text>")
    }

    private var document: String {
        let (width, height) = (Self.pixel(Self.size.width), Self.pixel(Self.size.height))
        return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(width) \(height)\" "
            + "font-family=\"sans-serif\" font-size=\"12\">\n"
            + "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
            + body.joined(separator: "\n") + "\n</svg>\n"
    }

    private static func pixel(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func number(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : "\(value)"
    }
}
