import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Log records of OTLP over HTTP, and what exporters expect of a receiver.
    struct TelemetryTests {
        private static let protobuf = ["Content-Type": "application/x-protobuf"]
        private static let json = ["Content-Type": "application/json"]

        @Test(.timeLimit(.minutes(3)))
        func `what the Python exporter sends is taken, compressed too, at either URL`() throws {
            let site = try Site("otlp")
            let zipped = Self.protobuf.merging(["Content-Encoding": "gzip"]) { $1 }

            let first = try site.client.post("/v1/logs", capturedExport, headers: Self.protobuf)
            let again = try site.client.post(
                "/", try compressed(capturedExport, by: "gzip"), headers: zipped)

            for answer in [first, again] {
                #expect(answer.status == 200 && answer.body.isEmpty, "\(answer.text)")
                #expect(answer.headers["content-type"] == "application/x-protobuf")
            }
            let model = try site.client.model("iris_classifier.iris_mon")
            #expect(model.records == 1)
            #expect(model.features.map(\.name) == ["sepal length", "n"])
        }

        @Test(.timeLimit(.minutes(3)))
        func `records that are no predictions are rejected, and the others kept`() throws {
            let site = try Site("otlp-partial")
            func record(_ values: String) -> String {
                #"{"body":{"kvlistValue":{"values":[\#(values)]}}}"#
            }
            let good = record(
                #"{"key":"prediction","value":{"intValue":"1"}},{"key":"x","value":{"doubleValue":1.5}}"#
            )
            let other = record(#"{"key":"message","value":{"stringValue":"hello"}}"#)
            let body =
                #"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"churn"}}]},"scopeLogs":[{"logRecords":[\#(good),\#(other)]}]}]}"#

            let answer = try site.client.post("/v1/logs", Array(body.utf8), headers: Self.json)

            #expect(answer.status == 200)
            #expect(
                answer.text
                    == #"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no prediction"}}"#
            )
            #expect(try site.client.model("churn").records == 1)
            let empty = try site.client.post("/v1/logs", Array("{}".utf8), headers: Self.json)
            #expect(empty.status == 200 && empty.text == "{}")
        }

        @Test(.timeLimit(.minutes(3)))
        func `errors are a status in the request's encoding`() throws {
            let site = try Site("otlp-errors")
            let cut = Array(capturedExport.dropLast())

            let bad = try site.client.post("/v1/logs", cut, headers: Self.protobuf)
            let text = try site.client.post("/v1/logs", cut, headers: Self.json)
            let type = try site.client.post(
                "/v1/logs", cut, headers: ["Content-Type": "text/plain"])

            #expect(bad.status == 400 && bad.body.starts(with: [0x08, 3, 0x12]))
            #expect(bad.headers["content-type"] == "application/x-protobuf")
            #expect(text.status == 400 && text.text.hasPrefix(#"{"code":3,"message":"#))
            #expect(type.status == 415)
        }
    }
}

/// What `opentelemetry-exporter-otlp-proto-http` 1.45.2 sent for one record of BentoML's monitor.
private let capturedExport: [UInt8] = {
    let hex = """
        0ae6020a490a2a0a0c736572766963652e6e616d65121a0a18697269735f636c61737369666965723a697269735f6d6f6e0a1b0a137365
        72766963652e696e7374616e63652e696412040a0276311298020a160a1462656e746f6d6c5f6d6f6e69746f725f6461746112fd010900
        eb2f047dc4ea1810091a04494e464f2a87013284010a190a0c736570616c206c656e6774681209219a999999999913400a100a04707265
        6412080a067365746f73610a070a016e120218030a160a0974696d657374616d701209210000e0716fddd8410a230a0a72657175657374
        5f696412150a13363431333933303532383939393838333139360a0f0a0874726163655f696412030a0130321e0a0e636f64652e66696c
        652e70617468120c0a0a736572766963652e7079321f0a12636f64652e66756e6374696f6e2e6e616d6512090a07707265646963743216
        0a10636f64652e6c696e652e6e756d6265721202180c59f2ed30047dc4ea18
        """
    let digits = hex.filter { !$0.isWhitespace }
    return stride(from: 0, to: digits.count, by: 2).compactMap { offset in
        let start = digits.index(digits.startIndex, offsetBy: offset)
        return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16)
    }
}()
