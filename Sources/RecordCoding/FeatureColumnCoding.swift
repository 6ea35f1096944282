import ByteCoding
import MonitoringDomain

// The stored form of one feature's column, after its name:
//
//     byte 0 numeric        numbers
//     byte 1 categorical    text column
//     byte 2 float32        singles
//     byte 3 text           text column
//     byte 4 vector         dimension count · byte 1 float32 or 0 float64 · presence [rowCount] bits,
//                           the first row's the lowest of the first byte · the present rows' numbers,
//                           [present · dimension] singles or numbers

extension ByteWriter {
    mutating func write(_ column: FeatureColumn, _ rowCount: Int) {
        switch column {
        case .numeric(let numbers):
            write(UInt8(0))
            precondition(numbers.count == rowCount, "\(numbers.count) of \(rowCount) rows")
            write(packing: numbers)
        case .categorical(let texts):
            write(UInt8(1))
            write(texts, rowCount)
        case .single(let numbers):
            write(UInt8(2))
            precondition(numbers.count == rowCount, "\(numbers.count) of \(rowCount) rows")
            write(packing: numbers)
        case .text(let texts):
            write(UInt8(3))
            write(texts, rowCount)
        case .vector(let vectors):
            write(UInt8(4))
            write(vectors, rowCount)
        }
    }

    private mutating func write(_ vectors: VectorColumn, _ rowCount: Int) {
        let isPresent = vectors.isPresent
        precondition(isPresent.count == rowCount, "\(isPresent.count) of \(rowCount) rows")
        writeCount(vectors.dimension)
        write(vectors.precision == .float32)
        writeRow(count: (rowCount + 7) / 8) { byte -> UInt8 in
            (8 * byte..<min(8 * byte + 8, rowCount)).reduce(0) {
                $0 | (isPresent[$1] ? 1 << UInt8($1 % 8) : 0)
            }
        }
        switch vectors.precision {
        case .float32: write(packing: vectors.numbers.map { Float($0) })
        case .float64: write(packing: vectors.numbers)
        }
    }
}

extension ByteReader {
    mutating func readFeatureColumn(_ rowCount: Int) throws(ByteReadingError) -> FeatureColumn {
        switch try readByte() {
        case 0: return .numeric(try readNumbers(rowCount))
        case 1: return .categorical(try readTextColumn(rowCount))
        case 2: return .single(try readSingles(rowCount))
        case 3: return .text(try readTextColumn(rowCount))
        case 4: return .vector(try readVectors(rowCount))
        case let tag: throw .invalid(offset: offset - 1, reason: "\(tag) is no kind of column")
        }
    }

    private mutating func readVectors(_ rowCount: Int) throws(ByteReadingError) -> VectorColumn {
        let start = offset
        let dimension = Int(clamping: try readVarint())
        guard (1...FeatureKind.vectorDimensionMax).contains(dimension) else {
            throw .invalid(offset: start, reason: "vectors of \(dimension) numbers")
        }
        let isSingle = try readBool()
        let bits = try readRow((rowCount + 7) / 8, of: UInt8.self)
        let isPresent = (0..<rowCount).map { bits[$0 / 8] >> UInt8($0 % 8) & 1 == 1 }
        let count = isPresent.count { $0 } * dimension
        // Packed numbers that are all missing take no bytes, so what follows does not bound this.
        guard count <= vectorCellCountMax else {
            throw .invalid(offset: start, reason: "\(count) numbers in vectors")
        }
        let place = offset
        let numbers =
            isSingle ? try readSingles(count).map { Double($0) } : try readNumbers(count)
        guard numbers.allSatisfy(\.isFinite) else {
            throw .invalid(offset: place, reason: "a vector with what is no number")
        }
        return VectorColumn(
            dimension: dimension, precision: isSingle ? .float32 : .float64, isPresent: isPresent,
            numbers: numbers)
    }
}

/// Numbers in the vectors of one column: more than a body can hold, and less than the memory.
private let vectorCellCountMax = 1 << 28
