import ByteCoding
import HTTPTypes
import Hummingbird
import MonitorService
import MonitoringDomain
import RecordCoding

/// This takes TrustyAI's uploads at TrustyAI's path, so that its clients need not change.
struct UploadRoutes {
    let bodies: ForeignBodies

    func add(to router: Router<BasicRequestContext>) {
        router.post("/data/upload") { request, _ in try await upload(request) }
    }

    private func upload(_ request: Request) async throws -> Response {
        let body = try await RequestBody.records(
            of: request, decodedLimitBytes: RequestBody.referenceSizeBytesMax
        ).bytes
        let schemas = bodies.runner.schemaLookup()
        let now = WallClock.now()
        // References are larger than batches: the body's size is their bound.
        let limits = DecodingLimits(rowCountMax: .max)
        let upload: Upload
        do {
            upload = try ForeignBodies.decoding { () throws(RecordDecodingError) in
                try UploadDecoder.decode(
                    body, arrival: now, limits: limits,
                    schemaOf: { schemas[$0] })
            }
        } catch let problem as Problem {
            bodies.keep(body, of: request.uri.path, refusedWith: problem)
            throw problem
        }
        let inputs: [Input] =
            switch upload.purpose {
            case .reference(let batch): [.pinReference(batch, pinnedAt: now)]
            case .records(let records): records.inputs
            }
        try await bodies.submit(inputs)
        return .json(
            .object([
                ("status", .string("success")),
                (
                    "message",
                    .string(
                        "\(upload.rowCount) datapoints successfully added to "
                            + "\(upload.model.rawValue) data.")
                ),
            ]))
    }
}
