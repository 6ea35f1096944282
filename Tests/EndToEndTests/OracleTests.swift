import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Real streams through the whole product, against values that other libraries computed.
    @Suite(.enabled(if: Repository.hasStreams, "the real streams are not beside the repository"))
    struct OracleTests {
        @Test(
            .timeLimit(.minutes(10)),
            arguments: [
                ("elec2", [("day", "1d"), ("week", "1w")]), ("carloan", [("month", "1mo")]),
                ("bike", [("week", "1w"), ("month", "1mo")]),
            ])
        func `every measurement is the oracle's`(
            name: String, schemes: [(name: String, span: String)]
        ) throws {
            let stream = try OracleStream(name)
            let site = try Site("oracle-\(name)")
            try feed(stream, to: site.client)

            for scheme in schemes {
                var comparison = Comparison()
                try compareDrift(of: stream, scheme: scheme, client: site.client, into: &comparison)
                try comparePerformance(
                    of: stream, scheme: scheme, client: site.client, into: &comparison)

                print("oracle \(name) \(scheme.name): \(comparison)")
                #expect(comparison.differences == [], "\(name) \(scheme.name)")
                for (statistic, count) in comparison.compared {
                    #expect(count > 0, "\(name) \(scheme.name): no \(statistic) was compared")
                }
            }
            #expect(site.server.isRunning)
        }

        /// Declares, pins, then sends production as its owner would: full batches, one of them
        /// compressed, ground truth after the predictions.
        private func feed(_ stream: OracleStream, to client: HTTPClient) throws {
            let model = stream.metadata.model
            let declared = try client.send(
                "PUT", "/v1/models/\(model)", headers: ["Content-Type": "application/json"],
                body: stream.declaration)
            try #require((200...204).contains(declared.status), "\(declared.text)")
            try client.pinReference(of: model, try stream.referenceLines())
            let predictions = try stream.lines("production.predictions")
            var accepted = 0
            for (index, batch) in predictions.chunks(of: 9_973).enumerated() {
                let isCompressed = index == 1
                let body = isCompressed ? try compressed(ndjson(batch), by: "gzip") : nil
                let answer = try client.ingest(
                    batch, encoding: isCompressed ? "gzip" : nil, body: body)
                #expect(answer.duplicates == 0)
                accepted += batch.count
            }
            for batch in try stream.lines("production.labels").chunks(of: 10_000) {
                try client.ingest(batch, as: "ground-truth", of: model)
            }
            #expect(accepted == predictions.count)
        }

        private func compareDrift(
            of stream: OracleStream, scheme: (name: String, span: String), client: HTTPClient,
            into comparison: inout Comparison
        ) throws {
            let drift: OracleDrift = try OracleStream.read(
                "oracles/\(stream.name)/drift.\(scheme.name).json")
            let reference: OracleReference = try OracleStream.read(
                "oracles/\(stream.name)/reference.json")
            for (columnName, column) in drift.columns where columnName != "prediction.label" {
                let feature = columnName.hasPrefix("prediction.") ? "prediction" : columnName
                let isLowerBound = reference.columns[columnName]?.hasRepeatedEdges ?? false
                for (statistic, values) in column.statistics {
                    let found = try client.measurements(
                        of: stream.metadata.model,
                        "window=\(scheme.span)&statistic=\(statistic)&feature=\(feature)"
                            + "&from=\(drift.windows.start[0])&to=\(drift.windows.end.last ?? "")")
                    comparison.compare(
                        found, with: values, of: statistic, feature: feature,
                        windows: drift.windows,
                        isLowerBound: isLowerBound && statistic == "psi")
                }
                let floored = try client.measurements(
                    of: stream.metadata.model,
                    "window=\(scheme.span)&statistic=psi&feature=\(feature)&smoothing=floor"
                        + "&from=\(drift.windows.start[0])&to=\(drift.windows.end.last ?? "")")
                comparison.compare(
                    floored, with: column.psi, of: "psi", feature: feature,
                    windows: drift.windows, isLowerBound: false)
            }
        }

        private func comparePerformance(
            of stream: OracleStream, scheme: (name: String, span: String), client: HTTPClient,
            into comparison: inout Comparison
        ) throws {
            let performance: OraclePerformance = try OracleStream.read(
                "oracles/\(stream.name)/performance.\(scheme.name).json")
            let volumes = performance.windows.n.map { Double($0) as Double? }
            for (statistic, values) in performance.statistics + [("volume", volumes)] {
                let found = try client.measurements(
                    of: stream.metadata.model,
                    "window=\(scheme.span)&statistic=\(statistic)"
                        + "&from=\(performance.windows.start[0])"
                        + "&to=\(performance.windows.end.last ?? "")")
                comparison.compare(
                    found, with: values, of: statistic, feature: nil,
                    windows: performance.windows, isLowerBound: false)
            }
        }
    }
}

/// This is how many values were compared, and which differ.
private struct Comparison: CustomStringConvertible {
    var compared: [String: Int] = [:]
    var differences: [String] = []
    var differenceCount = 0

    var description: String {
        let counts = compared.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return "\(counts.joined(separator: ", ")); \(differenceCount) differences"
    }

    mutating func compare(
        _ found: [MeasurementsAnswer.Entry], with expected: [Double?], of statistic: String,
        feature: String?, windows: OracleWindows, isLowerBound: Bool
    ) {
        let entries = Dictionary(
            found.filter { $0.statistic == statistic && $0.feature == feature }
                .map { ($0.window.from, $0) }, uniquingKeysWith: { $1 })
        compared[statistic, default: 0] += 0
        for (index, value) in expected.enumerated() {
            let place = "\(statistic)(\(feature ?? "")) of \(windows.start[index])"
            guard let entry = entries[windows.start[index]] else {
                differ("\(place): no measurement")
                continue
            }
            guard entry.window.to == windows.end[index] else {
                differ("\(place): ends \(entry.window.to), expected \(windows.end[index])")
                continue
            }
            guard let value else {
                if let wrong = entry.value { differ("\(place): \(wrong), expected none") }
                continue
            }
            compared[statistic, default: 0] += 1
            if !matches(entry, value, statistic: statistic, isLowerBound: isLowerBound) {
                differ(
                    "\(place): \(entry.value.map { "\($0)" } ?? entry.status) in "
                        + "\(entry.lower ?? .nan)...\(entry.upper ?? .nan), expected \(value)")
            }
        }
    }

    /// The oracle has twelve significant digits; exact statistics agree to 1e-9 relative, the two
    /// from histograms lie within the interval that the product certifies.
    private func matches(
        _ entry: MeasurementsAnswer.Entry, _ expected: Double, statistic: String, isLowerBound: Bool
    ) -> Bool {
        let slack = 1e-9 * max(abs(expected), 1e-3)
        guard let value = entry.value, entry.status == "ok" else { return false }
        switch statistic {
        case "ks", "roc_auc":
            guard let lower = entry.lower, let upper = entry.upper else { return false }
            return lower - 1e-9 <= expected && expected <= upper + 1e-9 && lower <= value
                && value <= upper
        default:
            return isLowerBound ? value >= expected - slack : abs(value - expected) <= slack
        }
    }

    private mutating func differ(_ text: String) {
        differenceCount += 1
        // The first few say what is wrong; thousands would hide it.
        if differences.count < 12 { differences.append(text) }
    }
}
