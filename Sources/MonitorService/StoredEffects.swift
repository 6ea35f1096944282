import ByteCoding
import MonitorStore
import MonitoringDomain

extension Input {
    var rowCount: Int {
        switch self {
        case .predictions(let batch), .pinReference(let batch, _): batch.rowCount
        case .groundTruth(let batch): batch.rowCount
        case .inference(let half): half.batch.rowCount
        // Their records were refused.
        case .typeErrors: 0
        case .rules, .tick, .report, .declareSchema, .chooseReference, .activateReference, .trimLog:
            0
        }
    }
}

extension StoredEffect {
    init(_ effect: Effect, position: Int64) {
        let (kind, payload): (String, String) =
            switch effect {
            case .alertChanged(let alert): ("alert", alert.json.text)
            case .fileRequest(let request): ("file-request", request.json.text)
            case .requestChanged(let request):
                (
                    request.verification == nil ? "request-state" : "verdict", request.json.text
                )
            }
        self.init(key: effect.key, kind: kind, payload: payload, position: position)
    }
}
