import MonitoringDomain
import StreamingStatistics

extension NumericProfile {
    /// Counts some rows of a column whose bins are known.
    mutating func absorb(_ values: [Double], bins: [UInt16], rows: [Int]) {
        guard let first = rows.first, let last = rows.last else { return }
        if last - first + 1 == rows.count {
            absorb(
                values.span.extracting(first...last), bins: bins.span.extracting(first...last))
        } else {
            let picked = rows.map { values[$0] }
            let pickedBins = rows.map { bins[$0] }
            absorb(picked.span, bins: pickedBins.span)
        }
    }
}

extension PaneProfile {
    /// Changes a profile in place: it is taken out first, so that its arrays are not shared and copied.
    private mutating func withFeature(_ index: Int, _ body: (inout FeatureProfile) -> Void) {
        var profile = FeatureProfile.placeholder
        swap(&profile, &features[index])
        body(&profile)
        swap(&profile, &features[index])
    }

    mutating func absorb(_ values: [Double], bins: [UInt16], rows: [Int], feature index: Int) {
        withFeature(index) { profile in
            guard case .numeric(var numeric) = profile else { return }
            profile = .placeholder
            numeric.absorb(values, bins: bins, rows: rows)
            profile = .numeric(numeric)
        }
    }

    mutating func absorb(_ texts: TextColumn, codes: [Int?], rows: [Int], feature index: Int) {
        withFeature(index) { profile in
            guard case .categorical(var categorical) = profile else { return }
            profile = .placeholder
            categorical.absorb(texts, codes: codes, rows: rows)
            profile = .categorical(categorical)
        }
    }

    mutating func absorbMissing(_ count: Int, feature index: Int) {
        withFeature(index) { profile in
            switch profile {
            case .numeric(var numeric):
                profile = .placeholder
                numeric.absorbMissing(UInt64(count))
                profile = .numeric(numeric)
            case .categorical(var categorical):
                profile = .placeholder
                categorical.absorb(category: nil, times: UInt64(count))
                profile = .categorical(categorical)
            }
        }
    }
}

extension CategoricalProfile {
    /// Counts some rows of a column whose texts' codes are known: nil for an unseen one.
    mutating func absorb(_ texts: TextColumn, codes: [Int?], rows: [Int]) {
        let missing = texts.dictionary.count
        func position(of row: Int) -> Int {
            let code = texts.codes[row]
            return code == TextColumn.missing ? missing : Int(code)
        }
        func count(_ position: Int, times: UInt64, in profile: inout Self) {
            if position == missing {
                profile.absorb(category: nil, times: times)
            } else if let code = codes[position] {
                profile.absorb(category: code, times: times)
            } else {
                profile.absorbUnseen(texts.dictionary[position], times: times)
            }
        }
        if rows.count <= missing {
            // A few rows of a large dictionary: a table of it for each pane would cost more.
            for row in rows { count(position(of: row), times: 1, in: &self) }
        } else {
            var counts = [UInt64](repeating: 0, count: missing + 1)
            for row in rows { counts[position(of: row)] += 1 }
            for (position, times) in counts.enumerated() where times > 0 {
                count(position, times: times, in: &self)
            }
        }
    }
}
