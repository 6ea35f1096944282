/// This is which field of a foreign body names a prediction, so that ground truth can be joined to it.
///
/// Native records have an `id` of their own and do not need it.
public enum JoinKey: Hashable, Sendable {
    /// The first that exists of: the body's id, the logged header `X-Request-Id`, the event's id.
    case automatic
    /// The id in the body, of the Open Inference Protocol or Seldon's `meta.puid`.
    case body
    /// A request header that the platform logs with the event.
    case header(String)
    /// The id of the event, or what pairs its request and response.
    case event
    /// A further attribute of the event.
    case attribute(String)
    /// An input column, which then is no feature.
    case feature(String)

    /// Nil unless `text` is `auto`, `body`, `event`, `header:NAME`, `attribute:NAME` or `feature:NAME`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let argument = parts.count == 2 ? String(parts[1]) : nil
        switch (parts[0], argument) {
        case ("auto", nil): self = .automatic
        case ("body", nil): self = .body
        case ("event", nil): self = .event
        case ("header", let name?) where Self.isName(name): self = .header(name)
        case ("attribute", let name?) where Self.isName(name): self = .attribute(name)
        case ("feature", let name?) where Self.isName(name): self = .feature(name)
        default: return nil
        }
    }

    /// This is the text that gives the same key.
    public var text: String {
        switch self {
        case .automatic: "auto"
        case .body: "body"
        case .event: "event"
        case .header(let name): "header:\(name)"
        case .attribute(let name): "attribute:\(name)"
        case .feature(let name): "feature:\(name)"
        }
    }

    private static func isName(_ name: String) -> Bool { (1...256).contains(name.utf8.count) }
}
