/// This is a reason why the demo cannot go on, as a sentence for its user.
struct DemoError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
