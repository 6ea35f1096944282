import ByteCoding
import Foundation
import HTTPTypes
import Hummingbird
import MonitorCore
import MonitorService
import MonitoringDomain
import NIOCore
import RecordCoding

/// This is what programs and people read: models, measurements, alerts, requests, status.
struct ReadRoutes {
    let service: Service

    private var runner: MonitorRunner { service.runner }

    func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/models") { _, _ in Response.json(try await read { $0.modelsJSON }) }
        router.get("/v1/models/:model") { _, context in
            try await model(try modelID(context.parameters.require("model")))
        }
        router.put("/v1/models/:model") { request, context in
            try await declare(request, try modelID(context.parameters.require("model")))
        }
        router.get("/v1/models/:model/references") { _, context in
            let model = try modelID(context.parameters.require("model"))
            let progress = service.references.progress(of: model)
            return Response.json(
                try await known(model) { $0.referencesJSON(progress: progress) })
        }
        router.get("/v1/models/:model/references/:reference") { _, context in
            let model = try modelID(context.parameters.require("model"))
            let id = try context.parameters.require("reference")
            let progress = service.references.progress(of: model)
            let answer = try await known(model) {
                $0.referenceJSON(id: id, progress: progress) ?? .null
            }
            guard answer != .null else { throw Problem.notFound("no reference \"\(id)\"") }
            return Response.json(answer)
        }
        router.get("/v1/models/:model/restatements") { _, context in
            let model = try modelID(context.parameters.require("model"))
            guard let json = try await read({ $0.restatementsJSON(of: model) }) else {
                throw Problem.notFound("model \"\(model)\" is not known")
            }
            return Response.json(json)
        }
        router.get("/v1/alerts") { request, _ in
            let text = request.uri.queryParameters["phase"].map { String($0) }
            let phase = text.flatMap { AlertPhase(rawValue: $0) }
            if let text, phase == nil {
                throw Problem.invalidParameter("phase", "\"\(text)\" is not a phase")
            }
            return Response.json(try await read { $0.alertsJSON(phase: phase) })
        }
        router.get("/v1/retraining-requests") { _, _ in
            Response.json(try await read { $0.requestsJSON })
        }
        router.get("/v1/retraining-requests/:id") { _, context in
            let id = try requestID(context)
            guard
                let json = try await read({ $0.requestJSON(id) })
            else { throw Problem.notFound("no retraining request \"\(id)\"") }
            return Response.json(json)
        }
        router.post("/v1/retraining-requests/:id/report") { request, context in
            try await report(request, try requestID(context))
        }
        router.get("/v1/rules") { _, _ in Response.json(service.rulesJSON) }
        router.post("/v1/rules/reload") { _, _ in try await reload() }
        router.get("/v1/status") { _, _ in Response.json(try await service.statusJSON()) }
        router.get("/v1/rejects") { _, _ in
            Response.json(
                .object([("rejects", .array(service.rejects.copies.map(\.json)))]))
        }
        router.get("/livez") { _, _ in text("ok\n", status: .ok) }
        router.get("/readyz") { _, _ in
            let reasons = service.unreadiness
            return reasons.isEmpty
                ? text("ok\n", status: .ok)
                : text(reasons.joined(separator: "\n") + "\n", status: .serviceUnavailable)
        }
    }

    private func text(_ text: String, status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    private func read<Answer: Sendable>(
        _ body: @escaping @Sendable (MonitorCore.Monitor) -> Answer
    ) async throws -> Answer {
        do {
            return try await runner.read(body)
        } catch {
            throw Problem(error)
        }
    }

    private func known(
        _ model: ModelID, _ body: @escaping @Sendable (ModelCollector) -> JSONValue
    ) async throws -> JSONValue {
        guard let json = try await read({ $0.collector.models[model].map(body) }) else {
            throw Problem.notFound("model \"\(model)\" is not known")
        }
        return json
    }

    private func model(_ model: ModelID) async throws -> Response {
        guard let json = try await read({ $0.modelJSON(model) }) else {
            throw Problem.notFound("model \"\(model)\" is not known")
        }
        return .json(json)
    }

    private func requestID(_ context: BasicRequestContext) throws -> String {
        let raw = try context.parameters.require("id")
        return raw.removingPercentEncoding ?? raw
    }

    // MARK: - Writing small things

    private func submit(_ input: Input) async throws {
        do {
            _ = try await runner.submit([input])
        } catch {
            throw Problem(error)
        }
    }

    private func declare(_ request: Request, _ model: ModelID) async throws -> Response {
        let body = try await RequestBody.json(of: request)
        let schema: ModelSchema
        do {
            schema = try SchemaBody.decode(body, model: model)
        } catch {
            throw Problem(error, "Invalid schema")
        }
        try await submit(.declareSchema(schema))
        return try await self.model(model)
    }

    private func report(_ request: Request, _ id: String) async throws -> Response {
        let body = try await RequestBody.json(of: request)
        let report: TrainerReport
        do {
            report = try ReportBody.decode(body, requestID: id)
        } catch {
            throw Problem(error, "Invalid report")
        }
        guard try await read({ $0.requestJSON(id) != nil })
        else { throw Problem.notFound("no retraining request \"\(id)\"") }
        try await submit(.report(report, at: WallClock.now()))
        guard
            let json = try await read({ $0.requestJSON(id) })
        else { throw Problem.notFound("no retraining request \"\(id)\"") }
        return .json(json)
    }

    private func reload() async throws -> Response {
        do {
            try await service.reloadRules()
        } catch let error as RulesError {
            throw Problem(
                .unprocessableContent, "rule-file-invalid", "The rules are invalid",
                detail: error.description,
                errors: error.items)
        } catch let error as SubmissionError {
            throw Problem(error)
        }
        return Response.json(service.rulesJSON)
    }
}
