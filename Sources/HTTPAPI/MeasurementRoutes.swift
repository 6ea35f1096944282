import ByteCoding
import Foundation
import HTTPTypes
import Hummingbird
import MonitorCore
import MonitorService
import MonitoringDomain
import NIOCore

/// This is the reader's question for measurements, and its answer in the form that was asked for.
struct MeasurementRoutes {
    let runner: MonitorRunner

    /// The parameters of a question.
    static let parameters = [
        "feature", "from", "q", "segment", "smoothing", "statistic", "step", "to", "version",
        "window",
    ]

    /// The forms of an answer, by media type; the first is what is given to those who do not ask.
    private enum Form: String, CaseIterable {
        case json = "application/json"
        case columnar = "application/vnd.leeway.columnar+json"
        case csv = "text/csv"
    }

    func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/models/:model/measurements") { request, context in
            try await answer(request, try modelID(context.parameters.require("model")))
        }
    }

    private func answer(_ request: Request, _ model: ModelID) async throws -> Response {
        let form = try form(request)
        let question = try question(request, model)
        let result: Result<Response, QuestionError>
        do {
            result = try await runner.read { monitor in
                switch form {
                case .json: monitor.measurementsJSON(question).map { .json($0) }
                case .columnar:
                    monitor.measurements(question).map {
                        .body(MeasurementTable($0).columnarJSON.text, type: form.rawValue)
                    }
                case .csv:
                    monitor.measurements(question).map {
                        .body(MeasurementTable($0).csv, type: "text/csv; charset=utf-8")
                    }
                }
            }
        } catch {
            throw Problem(error)
        }
        switch result {
        case .success(let response): return response
        case .failure(.tooLarge(let count)):
            throw Problem.invalidParameter("window", QuestionError.tooLarge(count).description)
        case .failure(.unalignedStep(let pane)):
            throw Problem.invalidParameter("step", "a multiple of the pane, \(pane), expected")
        case .failure(let error): throw Problem.notFound(error.description)
        }
    }

    /// The form by `Accept`: the first named one that there is.
    private func form(_ request: Request) throws -> Form {
        guard let accept = request.headers[.accept] else { return .json }
        for entry in accept.split(separator: ",") {
            let type = entry.split(separator: ";").first.map {
                $0.trimmingPrefix(while: \.isWhitespace)
            }
            let name = type.map { String($0).lowercased().trimmingCharacters(in: .whitespaces) }
            switch name {
            case "*/*", "application/*": return .json
            case "text/*": return .csv
            case let name?:
                if let form = Form(rawValue: name) { return form }
            case nil: continue
            }
        }
        throw Problem(
            .notAcceptable, "not-acceptable", "Not acceptable",
            detail: "Accept: " + Form.allCases.map(\.rawValue).joined(separator: ", ")
                + " are there")
    }

    private func question(_ request: Request, _ model: ModelID) throws -> MeasurementsQuestion {
        let values = Dictionary(
            request.uri.queryParameters.map { (String($0.key), String($0.value)) }
        ) { first, _ in first }
        let text = values["window"] ?? "1d"
        guard let span = WindowSpan(text) else {
            throw Problem.invalidParameter(
                "window", "\"\(text)\" found; 5m, 1h, 1d, 1w or 1mo expected")
        }
        return MeasurementsQuestion(
            model: model, statistics: try statistics(values["statistic"]),
            features: try values["feature"].map { try list($0, of: "feature") } ?? [],
            version: values["version"], span: span, from: try time("from", in: values),
            to: try time("to", in: values), step: try step(values["step"], of: span),
            smoothing: try smoothing(values["smoothing"]), segment: try segment(values["segment"]),
            fraction: try fraction(values["q"]))
    }

    private func segment(_ text: String?) throws -> Segment? {
        guard let text else { return nil }
        guard let segment = Segment(text) else {
            throw Problem.invalidParameter(
                "segment", "\"\(text)\" found; key:value, as in channel:web, expected")
        }
        return segment
    }

    private func fraction(_ text: String?) throws -> Double? {
        guard let text else { return nil }
        // Hexadecimal is a number to the standard library, and none here.
        guard let fraction = Double(text), (0...1).contains(fraction),
            !text.utf8.contains(where: { $0 | 0x20 == UInt8(ascii: "x") })
        else {
            throw Problem.invalidParameter("q", "\"\(text)\" found; 0 to 1 expected")
        }
        return fraction
    }

    /// The names of a list: none is empty, and none stands twice, because each is answered for each.
    private func list(_ text: String, of parameter: String) throws -> [String] {
        var known: Set<ExactText> = []
        // By bytes: a comma and a mark behind it are one character.
        let parts = text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        return try parts.map {
            let name = String(Substring($0))
            guard !name.isEmpty else {
                throw Problem.invalidParameter(parameter, "names between commas expected")
            }
            guard known.insert(ExactText(name)).inserted else {
                throw Problem.invalidParameter(parameter, "\"\(name.prefix(64))\" stands twice")
            }
            return name
        }
    }

    private func statistics(_ text: String?) throws -> [Statistic] {
        guard let text else { return Statistic.windowCases }
        return try list(text, of: "statistic").map { name in
            guard let statistic = Statistic(rawValue: name) else {
                throw Problem.invalidParameter(
                    "statistic",
                    "\"\(name)\" is not known; "
                        + Statistic.allCases.map(\.rawValue).joined(separator: ", ") + " are")
            }
            return statistic
        }
    }

    private func step(_ text: String?, of span: WindowSpan) throws -> Int64? {
        guard let text else { return nil }
        guard case .milliseconds = span, case .milliseconds(let step)? = WindowSpan(text) else {
            throw Problem.invalidParameter(
                "step", "\"\(text)\" found; 5m, 1h or 1d, of a window of fixed length, expected")
        }
        return step
    }

    private func smoothing(_ text: String?) throws -> Smoothing {
        guard let text else { return .half }
        guard let smoothing = Smoothing(rawValue: text) else {
            throw Problem.invalidParameter("smoothing", "\"\(text)\" found; half or floor expected")
        }
        return smoothing
    }

    private func time(_ name: String, in values: [String: String]) throws -> EventTime? {
        guard let text = values[name] else { return nil }
        if let time = EventTime(rfc3339: Array(text.utf8)) { return time }
        if let milliseconds = Int64(text), Self.times.contains(milliseconds) {
            return EventTime(milliseconds: milliseconds)
        }
        throw Problem.invalidParameter(
            name, "\"\(text)\" is neither RFC 3339 nor milliseconds of the years 0 to 9999")
    }

    /// The instants that RFC 3339 can write: beyond, aligning a window would leave the range.
    private static let times: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
}

extension Response {
    fileprivate static func body(_ text: String, type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
