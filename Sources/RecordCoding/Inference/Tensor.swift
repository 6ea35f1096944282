import ByteCoding

/// This is a tensor of the Open Inference Protocol, checked: as many cells as its shape says.
struct Tensor: Equatable, Sendable {
    let name: String
    /// Not empty; a scalar has one row.
    let shape: [Int]
    let datatype: Datatype
    /// Row-major.
    let cells: [WireScalar]

    /// This is the type of a tensor's elements.
    enum Datatype: String {
        case bool = "BOOL"
        case uint8 = "UINT8"
        case uint16 = "UINT16"
        case uint32 = "UINT32"
        case uint64 = "UINT64"
        case int8 = "INT8"
        case int16 = "INT16"
        case int32 = "INT32"
        case int64 = "INT64"
        case fp16 = "FP16"
        case bf16 = "BF16"
        case fp32 = "FP32"
        case fp64 = "FP64"
        case bytes = "BYTES"

        /// True for real numbers: those of other types name classes.
        var isReal: Bool {
            switch self {
            case .fp16, .bf16, .fp32, .fp64: true
            default: false
            }
        }

        var isNumeric: Bool { self != .bool && self != .bytes }

        /// The whole numbers that an element may be; all that fit here for real ones.
        var range: ClosedRange<Int64> {
            switch self {
            case .uint8: 0...0xFF
            case .uint16: 0...0xFFFF
            case .uint32: 0...0xFFFF_FFFF
            case .uint64: 0...Int64.max
            case .int8: -0x80...0x7F
            case .int16: -0x8000...0x7FFF
            case .int32: -0x8000_0000...0x7FFF_FFFF
            case .int64, .fp16, .bf16, .fp32, .fp64, .bool, .bytes: Int64.min...Int64.max
            }
        }

        /// Nil where elements differ in size.
        var sizeBytes: Int? {
            switch self {
            case .bool, .uint8, .int8: 1
            case .uint16, .int16, .fp16, .bf16: 2
            case .uint32, .int32, .fp32: 4
            case .uint64, .int64, .fp64: 8
            case .bytes: nil
            }
        }
    }

    /// The first dimension: the batch.
    var rowCount: Int { shape.first ?? 1 }
    /// Cells in one row.
    var width: Int { rowCount == 0 ? 0 : cells.count / rowCount }
}

/// This is where in a body a tensor cannot be understood.
struct TensorProblem: Error {
    let pointer: String
    let detail: String
}

extension Tensor {
    /// Reads a tensor whose data is JSON, or stands at the start of `raw`, which loses it.
    ///
    /// Formula: the shape's product is the number of cells.
    init(_ value: WireValue, at path: String, raw: inout ByteReader?) throws(TensorProblem) {
        guard value.object != nil else {
            throw TensorProblem(pointer: path, detail: "a tensor is an object")
        }
        guard let name = value["name"]?.string, !name.isEmpty else {
            throw TensorProblem(pointer: path + "/name", detail: "a tensor needs a name")
        }
        guard let datatype = value["datatype"]?.string.flatMap({ Datatype(rawValue: $0) }) else {
            throw TensorProblem(pointer: path + "/datatype", detail: "an unknown datatype")
        }
        let (shape, count) = try Self.shape(value["shape"], at: path)
        self.name = name
        self.datatype = datatype
        self.shape = shape.isEmpty ? [1] : shape
        if let size = value["parameters"]?["binary_data_size"] {
            guard case .integer(let size) = size, let size = Int(exactly: size), var reader = raw
            else {
                throw TensorProblem(
                    pointer: path + "/parameters/binary_data_size",
                    detail: "no raw data of this size follows")
            }
            guard let slice = try? reader.readSlice(count: size) else {
                throw TensorProblem(
                    pointer: path + "/parameters/binary_data_size",
                    detail: "\(size) bytes of raw data expected, \(reader.remaining) found")
            }
            cells = try Self.cells(of: slice, datatype, count: count, at: path)
            raw = reader
            return
        }
        guard let data = value["data"] else {
            throw TensorProblem(pointer: path + "/data", detail: "a tensor needs data")
        }
        var cells: [WireScalar] = []
        try Self.flatten(data, datatype, into: &cells, at: path)
        guard cells.count == count else {
            throw TensorProblem(
                pointer: path + "/data",
                detail: "\(cells.count) values found, \(count) expected by the shape")
        }
        self.cells = cells
    }

    private static func shape(
        _ value: WireValue?, at path: String
    ) throws(TensorProblem) -> (shape: [Int], count: Int) {
        guard let dimensions = value?.array, dimensions.count <= 16 else {
            throw TensorProblem(pointer: path + "/shape", detail: "an array of dimensions expected")
        }
        var shape: [Int] = []
        var count = 1
        for dimension in dimensions {
            guard case .integer(let size) = dimension, size >= 0, let size = Int(exactly: size)
            else {
                throw TensorProblem(
                    pointer: path + "/shape", detail: "a dimension is a whole number, not below 0")
            }
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, product <= WireValue.countMax else {
                throw TensorProblem(
                    pointer: path + "/shape", detail: "over \(WireValue.countMax) values")
            }
            shape.append(size)
            count = product
        }
        return (shape, count)
    }

    /// Data may be flat or nested; only the order of its scalars counts.
    private static func flatten(
        _ value: WireValue, _ datatype: Datatype, into cells: inout [WireScalar], at path: String
    ) throws(TensorProblem) {
        if case .array(let elements) = value {
            for element in elements { try flatten(element, datatype, into: &cells, at: path) }
            return
        }
        guard let cell = WireScalar(value) else {
            throw TensorProblem(pointer: path + "/data", detail: "a scalar is expected")
        }
        switch (cell, datatype) {
        case (.missing, _), (.text, .bytes), (.text, .bool): cells.append(cell)
        case (.integer(let number), .bool) where number == 0 || number == 1:
            cells.append(.text(number == 1 ? "true" : "false"))
        case (.integer, .fp16), (.integer, .bf16), (.integer, .fp32), (.integer, .fp64):
            // Of a real number, which no class is named by.
            cells.append(.number(cell.wireValue.double ?? 0))
        case (.number(let number), _) where !datatype.isReal && datatype.isNumeric:
            // Some servers write whole numbers with a fraction, and half of UINT64 is beyond 63 bits.
            if let whole = Int64(exactly: number), datatype.range.contains(whole) {
                cells.append(.integer(whole))
            } else if datatype == .uint64, (0...0x1p64).contains(number) {
                cells.append(.number(number))
            } else {
                throw TensorProblem(
                    pointer: path + "/data", detail: "a value that is no \(datatype.rawValue)")
            }
        case (.integer(let number), _) where !datatype.range.contains(number):
            throw TensorProblem(
                pointer: path + "/data", detail: "a value that is no \(datatype.rawValue)")
        case (.integer, .bytes), (.integer, .bool), (.number, .bytes), (.number, .bool), (.text, _),
            (.vector, _):
            throw TensorProblem(
                pointer: path + "/data", detail: "a value that is no \(datatype.rawValue)")
        case (.integer, _), (.number, _): cells.append(cell)
        }
    }

    /// These are the elements of raw data: little-endian, without padding; of BYTES each after its
    /// size in four bytes.
    private static func cells(
        of raw: [UInt8], _ datatype: Datatype, count: Int, at path: String
    ) throws(TensorProblem) -> [WireScalar] {
        var reader = ByteReader(raw)
        var cells: [WireScalar] = []
        let problem = TensorProblem(
            pointer: path + "/parameters/binary_data_size",
            detail: "\(raw.count) bytes are not \(count) values of \(datatype.rawValue)")
        if let size = datatype.sizeBytes, raw.count != count * size { throw problem }
        cells.reserveCapacity(min(count, raw.count))
        do {
            for _ in 0..<count { cells.append(try reader.readCell(datatype)) }
        } catch {
            throw problem
        }
        guard reader.isAtEnd else { throw problem }
        return cells
    }
}

extension ByteReader {
    fileprivate mutating func readCell(
        _ datatype: Tensor.Datatype
    ) throws(ByteReadingError) -> WireScalar {
        switch datatype {
        case .bool: return .text(try readBool() ? "true" : "false")
        case .uint8: return .integer(Int64(try readByte()))
        case .int8: return .integer(Int64(Int8(bitPattern: try readByte())))
        case .uint16: return .integer(Int64(try read(UInt16.self)))
        case .int16: return .integer(Int64(try read(Int16.self)))
        case .uint32: return .integer(Int64(try read(UInt32.self)))
        case .int32: return .integer(Int64(try read(Int32.self)))
        case .uint64:
            let number = try read(UInt64.self)
            return Int64(exactly: number).map { .integer($0) } ?? .number(Double(number))
        case .int64: return .integer(try read(Int64.self))
        case .fp16: return real(halfPrecision(try read(UInt16.self)))
        case .bf16: return real(Double(Float(bitPattern: UInt32(try read(UInt16.self)) << 16)))
        case .fp32: return real(Double(Float(bitPattern: try read(UInt32.self))))
        case .fp64: return real(try readDouble())
        case .bytes:
            let size = try read(UInt32.self)
            let bytes = try readSlice(count: Int(size))
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .invalid(offset: offset, reason: "invalid UTF-8")
            }
            return .text(text)
        }
    }

    /// Not a number means missing, as data frames write it; `non_finite_rate` counts the infinities.
    private func real(_ value: Double) -> WireScalar {
        if value.isNaN { return .missing }
        return .number(value == 0 ? 0 : value)
    }
}

/// This is the value of a half-precision number.
///
/// Formula: ±2^(e − 15) · (1 + f / 1024), or ±2^−14 · f / 1024 where e = 0; e = 31 is not finite.
/// Source: IEEE 754-2019, binary16.
func halfPrecision(_ bits: UInt16) -> Double {
    let fraction = Double(bits & 0x3FF)
    let exponent = Int((bits >> 10) & 0x1F)
    let sign: FloatingPointSign = bits & 0x8000 == 0 ? .plus : .minus
    switch exponent {
    case 0: return Double(sign: sign, exponent: -24, significand: fraction)
    case 31: return fraction == 0 ? (sign == .plus ? .infinity : -.infinity) : .nan
    default: return Double(sign: sign, exponent: exponent - 25, significand: fraction + 1024)
    }
}
