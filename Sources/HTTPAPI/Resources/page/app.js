// The page of Leeway: what the API says, in words and two charts.
//
// Everything that comes from outside reaches the document as text nodes or as pixels, never as
// markup: names of models and features are whatever a producer sent. The policy of the server
// (Content-Security-Policy) holds the same line a second time.

const pollMilliseconds = 2000;
// After failures the page asks more rarely, and yet soon enough that nobody reloads it by hand.
const pollMillisecondsMax = 10_000;
// Late ground truth changes performance without any new record; every so many polls all is read.
const pollsBetweenFullReads = 5;
// Lines that an eye can tell apart; style.css has as many colours.
const seriesCountMax = 6;
// Beyond this many measurements (some 350 bytes each) the features are ranked first by their newest
// windows, and only the history of the first few is read.
const measurementCountMax = 5000;
const rankingWindowCount = 3;
const entryCountMax = 50;
const nameLengthMax = 256;
const sentenceLengthMax = 1000;

const second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;

const page = {
    key: null,
    selected: new URLSearchParams(location.search).get("model"),
    models: [],
    alerts: [],
    requests: [],
    // What was read of the selected model's history, and for which state of it.
    history: null,
    historyMark: null,
    pollCount: 0,
    failureCount: 0,
    lastAnswer: null,
    timer: null,
    isReading: false,
    isReadAgainAsked: false,
};

// MARK: Words

const wholeNumber = new Intl.NumberFormat("en-GB");
const months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/** Text from outside, cut; what is invisible or turns the writing direction is shown as �. */
function cut(text, lengthMax) {
    const characters = String(text ?? "").slice(0, lengthMax + 1).replace(/\s/g, " ")
        .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
    return characters.length > lengthMax ? characters.slice(0, lengthMax - 1) + "…" : characters;
}

function isNumber(value) {
    return typeof value === "number" && Number.isFinite(value);
}

/** A number for reading: with `decimals`, or with three significant digits. */
function number(value, decimals) {
    if (!isNumber(value)) return "–";
    const size = Math.abs(value);
    let text;
    if (decimals !== undefined) {
        text = size.toFixed(decimals);
    } else if (size >= 1e9 || (size > 0 && size < 1e-4)) {
        text = size.toExponential(1);
    } else if (size >= 100) {
        text = wholeNumber.format(Math.round(size));
    } else {
        text = size.toFixed(size >= 10 ? 1 : size >= 0.01 || size === 0 ? 2 : 4);
    }
    return value < 0 && /[1-9]/.test(text) ? "−" + text : text;
}

function signed(value, decimals) {
    const text = number(value, decimals);
    return value > 0 && /[1-9]/.test(text) ? "+" + text : text;
}

function percent(value) {
    return isNumber(value) ? Math.round(value * 100) + "%" : "–";
}

function plural(count, one, many) {
    return wholeNumber.format(count) + " " + (count === 1 ? one : many);
}

function milliseconds(text) {
    const time = Date.parse(text);
    return Number.isFinite(time) ? time : null;
}

function twoDigits(value) {
    return String(value).padStart(2, "0");
}

function dayWords(time) {
    const date = new Date(time);
    return `${date.getUTCDate()} ${months[date.getUTCMonth()]}`;
}

function dateWords(time) {
    return `${dayWords(time)} ${new Date(time).getUTCFullYear()}`;
}

function clockWords(time) {
    const date = new Date(time);
    return `${twoDigits(date.getUTCHours())}:${twoDigits(date.getUTCMinutes())}`;
}

function timeWords(time) {
    return time === null ? "an unknown time" : `${dateWords(time)} ${clockWords(time)}`;
}

function windowWords(window) {
    if (window.from % day === 0 && window.to % day === 0) {
        const last = window.to - day;
        return last <= window.from
            ? dateWords(window.from) : `${dateWords(window.from)} to ${dateWords(last)}`;
    }
    const end = Math.floor(window.from / day) === Math.floor(window.to / day)
        ? clockWords(window.to) : timeWords(window.to);
    return `${timeWords(window.from)} to ${end}`;
}

/** "5m" as milliseconds; a month counts as 30 days, for this is only used to estimate. */
function spanMilliseconds(text) {
    const match = /^(\d+)(mo|[smhdw])$/.exec(text ?? "");
    if (!match) return day;
    const unit = { s: second, m: minute, h: hour, d: day, w: 7 * day, mo: 30 * day }[match[2]];
    return Number(match[1]) * unit;
}

function spanWords(text) {
    const match = /^(\d+)(mo|[smhdw])$/.exec(text ?? "");
    if (!match) return cut(text, 16);
    const unit = {
        s: "second", m: "minute", h: "hour", d: "day", w: "week", mo: "month",
    }[match[2]];
    return match[1] === "1" ? `1 ${unit}` : `${match[1]} ${unit}s`;
}

// MARK: The document

function element(id) {
    return document.getElementById(id);
}

/** Makes an element; its children are other elements, or text that stays text. */
function make(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
}

/** A name from outside, isolated so that its writing direction does not reorder what is around. */
function name(text, className = "name") {
    return make("bdi", className, cut(text, nameLengthMax));
}

const drawn = new Map();

/** Draws a part of the page only when what it shows has changed, so that a reader's focus, text
    selection and open details survive the polls. */
function drawWhenChanged(part, facts, draw) {
    const mark = JSON.stringify(facts);
    if (drawn.get(part) === mark) return;
    drawn.set(part, mark);
    draw();
}

function level(status) {
    return ["ok", "watch", "alert"].includes(status?.level) ? status.level : "watch";
}

function statusWords(model) {
    if (model.state === "learning" && isNumber(model.learned) && isNumber(model.learning_target)) {
        const learned = wholeNumber.format(model.learned);
        return `Learning its reference: ${learned} of `
            + plural(model.learning_target, "record", "records");
    }
    return cut(model.status?.text ?? "", sentenceLengthMax);
}

function drawModels() {
    const rank = { alert: 0, watch: 1, ok: 2 };
    const models = [...page.models].sort(
        (left, right) => rank[level(left.status)] - rank[level(right.status)]
            || (left.model < right.model ? -1 : 1));
    const facts = models.map((model) => [model.model, level(model.status), statusWords(model)]);
    drawWhenChanged("models", [facts, page.selected], () => {
        const focused = document.activeElement?.dataset?.model;
        element("models").replaceChildren(...facts.map(([model, modelLevel, words]) => {
            const status = make("span", "status", words);
            status.dataset.level = modelLevel;
            const link = make("a", "", name(model), status);
            link.href = "?model=" + encodeURIComponent(model);
            link.dataset.model = model;
            if (model === page.selected) link.setAttribute("aria-current", "page");
            link.addEventListener("click", (event) => {
                // A new tab or window is the browser's business.
                if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                event.preventDefault();
                history.pushState(null, "", link.href);
                select(model);
            });
            return make("li", "", link);
        }));
        if (focused !== undefined) {
            [...element("models").querySelectorAll("a")]
                .find((link) => link.dataset.model === focused)?.focus();
        }
    });
    const alarming = models.filter((model) => level(model.status) === "alert").length;
    const summary = models.length === 0 ? "No models yet"
        : plural(models.length, "model", "models") + (alarming === 0 ? ", none needs attention"
            : alarming === 1 ? ", 1 needs attention" : `, ${alarming} need attention`);
    drawWhenChanged("summary", summary, () => {
        element("summary").textContent = summary;
        document.title = alarming > 0 ? `(${alarming}) Leeway` : "Leeway";
    });
}

function drawOverview(model) {
    const facts = [];
    if (model.task) facts.push(cut(model.task, nameLengthMax));
    if (model.version !== null && model.version !== undefined) {
        facts.push("version " + cut(model.version, nameLengthMax));
    }
    facts.push(plural(model.records ?? 0, "record", "records"));
    if (model.reference) {
        facts.push(`reference ${cut(model.reference.reference, nameLengthMax)} of `
            + plural(model.reference.rows ?? 0, "row", "rows"));
    }
    if (model.extent) {
        facts.push(`${dateWords(milliseconds(model.extent.from))} to `
            + dateWords(milliseconds(model.extent.to)));
        facts.push(`windows of ${spanWords(model.window_suggestion)}`);
    }
    drawWhenChanged(
        "overview", [model.model, level(model.status), statusWords(model), facts], () => {
            element("model-name").replaceChildren(name(model.model));
            const status = make("span", "status", statusWords(model));
            status.dataset.level = level(model.status);
            element("model-status").replaceChildren(status);
            element("model-facts").textContent = facts.join(" · ");
        });
}

function phaseLevel(phase) {
    return { firing: "alert", pending: "watch", resolved: "ok" }[phase] ?? "watch";
}

function drawAlerts(model) {
    const rank = { firing: 0, pending: 1, resolved: 2 };
    const alerts = page.alerts
        .filter((alert) => alert.model === model.model)
        .sort((left, right) => (rank[left.phase] ?? 3) - (rank[right.phase] ?? 3)
            || (milliseconds(right.since) ?? 0) - (milliseconds(left.since) ?? 0));
    drawWhenChanged("alerts", [model.model, alerts], () => {
        element("alerts").replaceChildren(
            ...alerts.slice(0, entryCountMax).map(alertEntry),
            ...ending(alerts, "No rule is breached."));
    });
}

function alertEntry(alert) {
    const phase = make("span", "phase status", cut(alert.phase, nameLengthMax));
    phase.dataset.level = phaseLevel(alert.phase);
    const subject = alert.feature ?? alert.labels?.feature;
    const head = make("p", "head", phase, name(alert.rule), subject ? name(subject, "") : null);
    const resolved = milliseconds(alert.resolved_at ?? "");
    let when = "since " + timeWords(milliseconds(alert.since));
    if (alert.phase === "resolved" && resolved !== null) {
        when += " until " + timeWords(resolved);
    }
    if (isNumber(alert.value)) when += ", value " + number(alert.value);
    head.append(make("span", "when", when));
    const words = alert.annotations?.summary ?? alert.annotations?.description;
    const expression = alert.evidence?.expression;
    return make(
        "li", "", head, words ? make("p", "", cut(words, sentenceLengthMax)) : null,
        expression ? make("p", "", make("code", "", cut(expression, sentenceLengthMax))) : null);
}

/** What ends a list: that it is empty, or how much of it is left out. */
function ending(entries, emptyWords) {
    if (entries.length === 0) return [make("li", "none", emptyWords)];
    const left = entries.length - entryCountMax;
    return left > 0 ? [make("li", "none", `and ${wholeNumber.format(left)} more`)] : [];
}

const stateWords = {
    awaiting_approval: "awaits approval", pending: "waits for a trainer",
    claimed: "claimed by a trainer", running: "a trainer is at work", succeeded: "retrained",
    failed: "failed", cancelled: "cancelled", expired: "expired, no trainer took it",
    superseded: "superseded",
};

function stateLevel(state) {
    if (state === "succeeded") return "ok";
    return state === "failed" || state === "expired" ? "alert" : "watch";
}

function drawRequests(model) {
    const requests = page.requests
        .filter((request) => request.model === model.model)
        .sort((left, right) =>
            (milliseconds(right.created_at) ?? 0) - (milliseconds(left.created_at) ?? 0));
    drawWhenChanged("requests", [model.model, requests], () => {
        element("requests").replaceChildren(
            ...requests.slice(0, entryCountMax).map(requestEntry),
            ...ending(requests, "No retraining was requested."));
    });
}

function requestEntry(request) {
    const known = Object.hasOwn(stateWords, request.state);
    const words = known ? stateWords[request.state] : cut(request.state, nameLengthMax);
    const state = make("span", "phase status", words);
    state.dataset.level = stateLevel(request.state);
    state.dataset.state = cut(request.state, nameLengthMax);
    const versions = "version " + cut(request.model_version, nameLengthMax)
        + (request.new_version ? " → " + cut(request.new_version, nameLengthMax) : "");
    const times = request.trigger_count > 1
        ? `triggered ${wholeNumber.format(request.trigger_count)} times, ` : "";
    const when = `requested ${timeWords(milliseconds(request.created_at))}, ${times}`;
    const head = make(
        "p", "head", state, name(request.reason),
        make("span", "when", when, make("bdi", "", versions)));
    return make("li", "", head, ...verdictElements(request));
}

const verdictWords = {
    helped: "helped", did_not_help: "did not help", made_it_worse: "made it worse",
    watching: "watching",
};

function verdictElements(request) {
    const found = request.verification;
    if (!found) {
        if (request.state !== "succeeded" || !request.new_version) return [];
        return [verdictElement("watching", "watching: too little ground truth for version "
            + `${cut(request.new_version, nameLengthMax)} yet`)];
    }
    const verdict = Object.hasOwn(verdictWords, found.verdict) ? found.verdict : "watching";
    const elements = [verdictElement(verdict, verdictSentence(verdict, found))];
    if (found.method) {
        const counts = isNumber(found.before_count) && isNumber(found.after_count)
            ? `${plural(found.before_count, "outcome", "outcomes")} before, `
                + `${wholeNumber.format(found.after_count)} after; ` : "";
        elements.push(make(
            "details", "", make("summary", "", "How this was judged"),
            counts + cut(found.method, sentenceLengthMax)));
    }
    return elements;
}

function verdictElement(verdict, words) {
    const made = make("p", "verdict", words);
    made.dataset.verdict = verdict;
    return made;
}

// Where less is better, a plus sign before an improvement would read as its opposite.
const lowerIsBetter = new Set([
    "mae", "rmse", "log_loss", "brier", "error", "mape", "smape", "ece",
]);

function verdictSentence(verdict, found) {
    const statistic = cut(found.statistic, nameLengthMax);
    if (!isNumber(found.before) || !isNumber(found.after)) {
        return `${verdictWords[verdict]}: too little ground truth yet`;
    }
    const effect = found.effect ?? {};
    const width = isNumber(effect.upper) && isNumber(effect.lower)
        ? effect.upper - effect.lower : 0;
    const decimals = verdictDecimals(found, width > 0 ? width : Math.abs(effect.value ?? 0));
    const [before, after] = [number(found.before, decimals), number(found.after, decimals)];
    const change = `${statistic} ${before} → ${after}`;
    if (!isNumber(effect.value)) return `${verdictWords[verdict]}: ${change}`;
    const isLowerBetter = lowerIsBetter.has(found.statistic);
    const size = !isLowerBetter ? signed(effect.value, decimals)
        : (effect.value < 0 ? "worse by " : "better by ")
            + number(Math.abs(effect.value), decimals);
    // The interval of a worsening is turned round with it.
    const [low, high] = isLowerBetter && effect.value < 0
        ? [-effect.upper, -effect.lower] : [effect.lower, effect.upper];
    const interval = width > 0
        ? ` (${number(low, decimals)} to ${number(high, decimals)})` : "";
    return `${verdictWords[verdict]}: ${change}, ${size}${interval}`;
}

/** As many decimals as a difference of this size needs, and for small statistics two at least. */
function verdictDecimals(found, size) {
    const least = Math.max(Math.abs(found.before), Math.abs(found.after)) < 10 ? 2 : 0;
    return size > 0 ? Math.min(8, Math.max(least, -Math.floor(Math.log10(size / 3)))) : least;
}

// MARK: Charts

const darkness = matchMedia("(prefers-color-scheme: dark)");

function color(variable, opacity = "") {
    // The colours are written as #rrggbb, so that an opacity can follow.
    return getComputedStyle(document.documentElement).getPropertyValue(variable).trim() + opacity;
}

/** The windows of `measurements` in order, and each statistic's or feature's reading in each. */
function byWindow(measurements = [], keyOf) {
    const windows = new Map();
    for (const measurement of measurements) {
        // Null is all versions and all segments together.
        if (measurement.version != null || measurement.segment != null) continue;
        const from = milliseconds(measurement.window?.from);
        const to = milliseconds(measurement.window?.to);
        if (from === null || to === null) continue;
        if (!windows.has(from)) windows.set(from, { from, to, readings: new Map() });
        windows.get(from).readings.set(keyOf(measurement), measurement);
    }
    return [...windows.values()].sort((left, right) => left.from - right.from);
}

function points(windows, key, field = "value") {
    return windows.map((window) => {
        const value = window.readings.get(key)?.[field];
        return { x: (window.from + window.to) / 2, y: isNumber(value) ? value : null };
    });
}

/** The newest reading, of a window that is full if there is one. */
function newestReading({ windows, extentEnd }, key) {
    const read = windows.filter((window) => isNumber(window.readings.get(key)?.value));
    const newest = read.findLast((window) => window.to <= extentEnd) ?? read.at(-1);
    return newest?.readings.get(key) ?? null;
}

const tickSteps = [
    minute, 5 * minute, 15 * minute, 30 * minute, hour, 3 * hour, 6 * hour, 12 * hour,
    day, 2 * day, 7 * day, 14 * day,
];
const tickMonths = [1, 2, 3, 6, 12, 24, 60, 120, 600, 1200, 6000, 12_000];

/** The moments that a time axis names: whole minutes, hours, days or months, at most `countMax`. */
function timeTicks(from, to, countMax) {
    const step = tickSteps.find((step) => (to - from) / step <= countMax);
    if (step !== undefined) {
        const ticks = [];
        for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
            const words = time % day === 0 ? dayWords(time) : clockWords(time);
            ticks.push({ value: time, words });
        }
        return ticks;
    }
    const length = (to - from) / (30 * day);
    const count = tickMonths.find((count) => length / count <= countMax) ?? tickMonths.at(-1);
    const start = new Date(from);
    const first = start.getUTCFullYear() * 12 + start.getUTCMonth() + 1;
    const ticks = [];
    for (let month = Math.ceil(first / count) * count; ; month += count) {
        const year = Math.floor(month / 12);
        const time = new Date(Date.UTC(2000, month % 12, 1)).setUTCFullYear(year);
        if (!(time <= to)) return ticks;
        const isNamed = count % 12 === 0 || month % 12 === 0;
        const words = isNamed ? String(year)
            : ticks.length === 0 ? `${months[month % 12]} ${year}` : months[month % 12];
        ticks.push({ value: time, words });
    }
}

/** Draws what the library has no name for: requests as upright lines, levels as level ones. */
const marks = {
    id: "marks",
    beforeDatasetsDraw(chart) {
        const { ctx: context, chartArea: area, scales } = chart;
        const { requests = [], levels = [] } = chart.options.plugins.marks ?? {};
        context.save();
        context.strokeStyle = color("--quiet");
        context.fillStyle = color("--quiet");
        context.font = "11px " + Chart.defaults.font.family;
        context.lineWidth = 1;
        context.setLineDash([5, 4]);
        for (const { value, words } of levels) {
            const y = Math.round(scales.y.getPixelForValue(value)) + 0.5;
            if (y < area.top || y > area.bottom) continue;
            context.globalAlpha = 0.55;
            stroke(context, area.left, y, area.right, y);
            context.globalAlpha = 1;
            context.fillText(words, area.right + 5, y + 4);
        }
        context.setLineDash([2, 3]);
        for (const time of requests) {
            const x = Math.round(scales.x.getPixelForValue(time)) + 0.5;
            if (x >= area.left && x <= area.right) stroke(context, x, area.top, x, area.bottom);
        }
        context.restore();
    },
};

function stroke(context, fromX, fromY, toX, toY) {
    context.beginPath();
    context.moveTo(fromX, fromY);
    context.lineTo(toX, toY);
    context.stroke();
}

/** This is a chart over the windows of a model's history: made once, filled at each read. */
class HistoryChart {
    constructor(id) {
        this.canvas = element(id);
        this.chart = null;
        this.windows = [];
        this.extentEnd = Infinity;
    }

    /** Colours are read when a chart is made, so a change of scheme makes it anew. */
    forget() {
        this.chart?.destroy();
        this.chart = null;
    }

    show(windows, extentEnd, datasets, scales, marked, words) {
        this.windows = windows;
        this.extentEnd = extentEnd;
        this.canvas.setAttribute("aria-label", words);
        const count = datasets.filter((dataset) => dataset.label)
            .reduce((sum, dataset) =>
                sum + dataset.data.filter((point) => point.y !== null).length, 0);
        this.canvas.dataset.points = String(count);
        if (typeof Chart === "undefined") return count;
        const options = this.options(scales, marked);
        if (this.chart) {
            this.chart.data.datasets = datasets;
            this.chart.options = options;
            this.chart.update("none");
        } else {
            this.chart = new Chart(
                this.canvas, { type: "line", data: { datasets }, options, plugins: [marks] });
        }
        return count;
    }

    options(scales, marked) {
        const first = this.windows.at(0);
        const last = this.windows.at(-1);
        return {
            animation: false,
            responsive: true,
            maintainAspectRatio: false,
            normalized: true,
            interaction: { mode: "index", axis: "x", intersect: false },
            // Room on the right in both charts, so that one moment is at one place in both.
            layout: { padding: { right: scales.coverage ? 0 : sideWidth } },
            scales: {
                x: {
                    type: "linear", min: first?.from, max: last?.to,
                    grid: { color: color("--grid"), borderColor: color("--line") },
                    ticks: {
                        color: color("--quiet"), maxRotation: 0, autoSkip: false,
                        callback: (value, index, ticks) => ticks[index].words,
                    },
                    afterBuildTicks(axis) {
                        const countMax = Math.max(2, Math.floor(axis.chart.width / 75));
                        axis.ticks = first ? timeTicks(axis.min, axis.max, countMax) : [];
                    },
                },
                ...scales,
            },
            plugins: {
                legend: { display: false },
                marks: marked,
                tooltip: {
                    filter: (item) => Boolean(item.dataset.label) && item.parsed.y !== null,
                    callbacks: {
                        title: (items) => this.title(items),
                        labelColor: ({ dataset: { borderColor } }) =>
                            ({ borderColor, backgroundColor: borderColor }),
                        label: (item) =>
                            `${cut(item.dataset.label, 40)}  ${item.dataset.words(item.parsed.y)}`,
                    },
                },
            },
        };
    }

    title(items) {
        const window = this.windows[items.at(0)?.dataIndex];
        if (!window) return "";
        return windowWords(window) + (window.to > this.extentEnd ? " (still filling)" : "");
    }

    line(label, data, lineColor, words, more = {}) {
        return {
            label, data, words, borderColor: lineColor, backgroundColor: lineColor, borderWidth: 2,
            // A lone point between gaps would not be seen as a line.
            pointRadius: (context) => isAlone(data, context.dataIndex) ? 2.5 : 0,
            pointHitRadius: 8,
            // The newest window may get more records still.
            segment: {
                borderDash: (context) =>
                    this.windows[context.p1DataIndex]?.to > this.extentEnd ? [3, 3] : undefined,
            },
            ...more,
        };
    }
}

function isAlone(data, index) {
    const isGap = (at) => (data[at]?.y ?? null) === null;
    return !isGap(index) && isGap(index - 1) && isGap(index + 1);
}

// What an axis and its words take at either side.
const sideWidth = 46;
const driftChart = new HistoryChart("drift-chart");
const performanceChart = new HistoryChart("performance-chart");
// A feature keeps its colour while it is among those shown.
let colorOfFeature = new Map();

function leftAxis(more) {
    return {
        position: "left",
        grid: { color: color("--grid"), borderColor: color("--line") },
        ...more,
        ticks: { color: color("--quiet"), maxTicksLimit: 6, ...more.ticks },
        afterFit(axis) { axis.width = sideWidth; },
    };
}

function note(id, words) {
    element(id).textContent = words;
    element(id).hidden = words === "";
}

function requestTimes(model) {
    return page.requests
        .filter((request) => request.model === model.model)
        .map((request) => milliseconds(request.created_at))
        .filter((time) => time !== null);
}

function legendEntry(swatch, label, value) {
    return make(
        "li", "", make("span", "swatch " + swatch), label,
        value === null ? null : make("span", "value", " " + value));
}

function requestLegend(windows, times) {
    const from = windows.at(0)?.from, to = windows.at(-1)?.to;
    return times.some((time) => time >= from && time <= to)
        ? [legendEntry("request", "retraining requested", null)] : [];
}

function ranked(windows) {
    const peaks = new Map();
    for (const window of windows) {
        for (const [feature, reading] of window.readings) {
            const value = isNumber(reading.value) ? reading.value : -Infinity;
            peaks.set(feature, Math.max(peaks.get(feature) ?? -Infinity, value));
        }
    }
    return [...peaks].sort((left, right) =>
        right[1] - left[1] || (left[0] < right[0] ? -1 : 1));
}

function assignColors(features) {
    const kept = new Map([...colorOfFeature].filter(([feature]) => features.includes(feature)));
    const taken = [...kept.values()];
    const free = [...Array(seriesCountMax).keys()].filter((slot) => !taken.includes(slot));
    for (const feature of features) {
        if (!kept.has(feature)) kept.set(feature, free.shift());
    }
    colorOfFeature = kept;
}

function drawDrift(model, drift) {
    const windows = drift.windows;
    const ranking = ranked(windows).filter(([, peak]) => peak > -Infinity);
    const features = ranking.slice(0, seriesCountMax).map(([feature]) => feature);
    assignColors(features);
    const datasets = features.map((feature) => driftChart.line(
        feature, points(windows, feature), color("--series-" + colorOfFeature.get(feature)),
        (value) => number(value)));
    const times = requestTimes(model);
    const levels = [{ value: 0.1, words: "some" }, { value: 0.2, words: "much" }];
    const scales = { y: leftAxis({ min: 0, suggestedMax: 0.25 }) };
    const words = features.map(
        (feature) => `${cut(feature, 40)} ${number(newestReading(drift, feature)?.value)}`);
    const count = driftChart.show(
        windows, drift.extentEnd, datasets, scales, { requests: times, levels },
        "PSI of features over time; newest: " + (words.join(", ") || "none"));
    element("drift-legend").replaceChildren(
        ...features.map((feature) => legendEntry(
            "series-" + colorOfFeature.get(feature), name(feature, ""),
            number(newestReading(drift, feature)?.value))),
        ...requestLegend(windows, times));
    note("drift-note", chartNote(count, model.state === "learning"
        ? "Drift is shown once the reference has been learned."
        : "No window has enough records to compare yet."));
    element("drift-rest").textContent = restWords(drift, features.length, ranking);
}

/** What the chart leaves out. */
function restWords(drift, shownCount, ranking) {
    const left = drift.featureCount - shownCount;
    if (left <= 0 || shownCount === 0) return "";
    if (drift.isRankedByNewest) {
        const features = plural(drift.featureCount, "feature", "features");
        return `Shown are those of ${features} that moved most of late.`;
    }
    const quieter = ranking.at(seriesCountMax)?.[1];
    const words = quieter === undefined
        ? "without a reading" : `stayed at or below ${number(quieter)}`;
    return `${plural(left, "more feature", "more features")} ${words}.`;
}

function chartNote(count, words) {
    if (count === 0) return words;
    return typeof Chart !== "undefined" ? ""
        : "Charts need Chart.js, which this server does not have: apt-get install libjs-chart.js";
}

const statisticNames = { accuracy: "accuracy", mae: "mean absolute error" };

function performanceStatistic(model, performance) {
    if (model.task === "regression") return "mae";
    if (model.task) return "accuracy";
    // Without a declared task, the statistic that has readings tells.
    const hasReadings = (statistic) => newestReading(performance, statistic) !== null;
    return !hasReadings("accuracy") && hasReadings("mae") ? "mae" : "accuracy";
}

function drawPerformance(model, performance) {
    const windows = performance.windows;
    const statistic = performanceStatistic(model, performance);
    const label = statisticNames[statistic];
    const shown = (value) => number(value, statistic === "accuracy" ? 3 : undefined);
    const coverage = points(windows, "coverage");
    const unmarked = { label: "", borderWidth: 0, pointRadius: 0, pointHoverRadius: 0 };
    const datasets = [
        performanceChart.line(
            label, points(windows, statistic), color("--series-0"), shown, { order: 1 }),
        { ...unmarked, data: points(windows, statistic, "lower"), fill: false, order: 2 },
        {
            ...unmarked, data: points(windows, statistic, "upper"), fill: "-1", order: 2,
            backgroundColor: color("--series-0", "2a"),
        },
        performanceChart.line("coverage", coverage, color("--coverage", "90"), percent, {
            borderWidth: 1.5, yAxisID: "coverage", order: 3, fill: "origin",
            backgroundColor: color("--coverage", "14"),
        }),
    ];
    const scales = {
        y: leftAxis(statistic === "accuracy"
            ? unitRange(datasets.slice(0, 3)) : { min: 0, grace: "10%" }),
        coverage: {
            position: "right", min: 0, max: 1,
            grid: { display: false, borderColor: color("--line") },
            ticks: { color: color("--coverage"), stepSize: 0.5, callback: percent },
            afterFit(axis) { axis.width = sideWidth; },
        },
    };
    const times = requestTimes(model);
    const newest = newestReading(performance, statistic);
    const newestCoverage = newestReading(performance, "coverage");
    const interval = isNumber(newest?.lower) && isNumber(newest?.upper)
        ? ` (${shown(newest.lower)} to ${shown(newest.upper)})` : "";
    const value = shown(newest?.value) + interval;
    const readCount = windows.filter(
        (window) => isNumber(window.readings.get(statistic)?.value)).length;
    performanceChart.show(
        windows, performance.extentEnd, datasets, scales, { requests: times },
        `${label} over time; newest: ${value}; coverage ${percent(newestCoverage?.value)}`);
    element("performance-about").textContent =
        label[0].toUpperCase() + label.slice(1) + " of the predictions whose ground truth has "
        + "come, with its interval; coverage is the share of predictions that have ground truth.";
    element("performance-legend").replaceChildren(
        legendEntry("series-0", label, value),
        legendEntry("coverage", "coverage", percent(newestCoverage?.value)),
        ...requestLegend(windows, times));
    note("performance-note", chartNote(readCount, "No window has enough ground truth yet."));
}

/** Some room above and below the readings, and none beyond 0 and 1: there is no such accuracy. */
function unitRange(datasets) {
    const values = datasets.flatMap((dataset) => dataset.data)
        .map((point) => point.y).filter((value) => value !== null);
    if (values.length === 0) return { min: 0, max: 1 };
    const lowest = values.reduce((left, right) => Math.min(left, right));
    const highest = values.reduce((left, right) => Math.max(left, right));
    const room = Math.max(0.01, (highest - lowest) / 10);
    return {
        suggestedMin: Math.max(0, lowest - room), suggestedMax: Math.min(1, highest + room),
    };
}

// MARK: Reading

/** This is an answer other than 200, with the problem's words. */
class AnswerError extends Error {
    constructor(status, words) {
        super(words);
        this.status = status;
    }
}

async function get(path) {
    const headers = { Accept: "application/json" };
    if (page.key) headers.Authorization = "Bearer " + page.key;
    const answer = await fetch(path, {
        headers, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(20 * second),
    });
    if (answer.ok) return answer.json();
    const problem = await answer.json().catch(() => null);
    throw new AnswerError(
        answer.status, cut(problem?.detail ?? problem?.title ?? answer.statusText, 200));
}

function measurementsPath(model, parameters) {
    // Percent, not "+" for a space: both ends then agree whatever the name holds.
    const query = Object.entries({ window: model.window_suggestion ?? "1d", ...parameters })
        .map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
    return `/v1/models/${encodeURIComponent(model.model)}/measurements?${query}`;
}

function featureOf(measurement) {
    return String(measurement.feature ?? "");
}

async function readDrift(model) {
    // A text or a vector is measured through several numbers.
    const featureCount = (model.features ?? []).reduce(
        (sum, feature) => sum + (feature.measured?.length ?? 1), 0);
    const span = spanMilliseconds(model.window_suggestion);
    const from = milliseconds(model.extent?.from), to = milliseconds(model.extent?.to);
    const parameters = { statistic: "psi" };
    const isWide = featureCount * ((to - from) / span + 1) > measurementCountMax;
    if (isWide) {
        const newest = await get(measurementsPath(model, {
            ...parameters,
            from: new Date(Math.max(from, to - rankingWindowCount * span)).toISOString(),
        }));
        const names = ranked(byWindow(newest.measurements, featureOf))
            // The parameter is a list with commas between.
            .map(([feature]) => feature).filter((feature) => !feature.includes(","));
        parameters.feature = names.slice(0, seriesCountMax).join(",");
    }
    const answer = await get(measurementsPath(model, parameters));
    return {
        windows: byWindow(answer.measurements, featureOf), featureCount, isRankedByNewest: isWide,
        extentEnd: to ?? Infinity,
    };
}

async function readPerformance(model) {
    const statistics = model.task === "regression" ? "mae"
        : model.task ? "accuracy" : "accuracy,mae";
    const answer = await get(measurementsPath(model, { statistic: statistics + ",coverage" }));
    return {
        windows: byWindow(answer.measurements, (measurement) => measurement.statistic),
        extentEnd: milliseconds(model.extent?.to) ?? Infinity,
    };
}

async function readHistory(model) {
    const mark = JSON.stringify([
        model.model, model.records, model.extent, model.reference, model.versions,
        model.window_suggestion, model.task, Math.floor(page.pollCount / pollsBetweenFullReads),
    ]);
    if (mark === page.historyMark) return;
    const [drift, performance] = model.extent
        ? await Promise.all([readDrift(model), readPerformance(model)])
        : [{ windows: [], featureCount: 0, extentEnd: Infinity }, { windows: [] }];
    if (page.selected !== model.model) return;
    page.history = { model: model.model, drift, performance };
    page.historyMark = mark;
}

async function read() {
    const [models, alerts, requests] = await Promise.all([
        get("/v1/models"), get("/v1/alerts"), get("/v1/retraining-requests"),
    ]);
    page.models = (models.models ?? []).filter((model) => typeof model.model === "string");
    page.alerts = alerts.alerts ?? [];
    page.requests = requests.requests ?? [];
    page.selected ??= firstChoice();
    draw();
    const model = selectedModel();
    if (model) {
        await readHistory(model);
        draw();
    }
    page.pollCount += 1;
}

/** Without a choice in the address, the model that most needs a look. */
function firstChoice() {
    for (const wanted of ["alert", "watch", "ok"]) {
        const found = page.models.find((model) => level(model.status) === wanted);
        if (found) return found.model;
    }
    return null;
}

function selectedModel() {
    return page.models.find((model) => model.model === page.selected);
}

function draw() {
    drawModels();
    const model = selectedModel();
    element("model").hidden = !model;
    element("nothing").hidden = Boolean(model);
    document.querySelector("nav").hidden = page.models.length === 0;
    if (!model) {
        element("nothing").replaceChildren(...(page.selected
            ? ["Nothing is known of a model named ", name(page.selected), "."]
            : ["No records have come yet. Send predictions to ",
                make("code", "", `POST ${location.origin}/v1/predictions`),
                ", or watch the whole loop with ", make("code", "", "leeway demo --keep"), "."]));
        return;
    }
    drawOverview(model);
    drawAlerts(model);
    drawRequests(model);
    const isStale = page.history?.model !== model.model;
    element("model").setAttribute("aria-busy", String(isStale));
    if (isStale) return;
    const facts = [page.historyMark, requestTimes(model), darkness.matches];
    drawWhenChanged("charts", facts, () => {
        if (typeof Chart !== "undefined") {
            Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
        }
        drawDrift(model, page.history.drift);
        drawPerformance(model, page.history.performance);
    });
    document.body.dataset.ready = "1";
}

function select(model) {
    page.selected = model;
    page.historyMark = null;
    colorOfFeature = new Map();
    draw();
    readNow();
}

function showTrouble(words) {
    drawWhenChanged("trouble", words, () => note("trouble", words));
}

function troubleWords(error) {
    const clock = page.lastAnswer?.toLocaleTimeString("en-GB");
    const known = clock ? ` Shown is what was known at ${clock} on your clock.` : "";
    return error instanceof AnswerError
        ? `Leeway answered ${error.status}: ${error.message}.${known}`
        : `Leeway cannot be reached.${known}`;
}

/** Reads at once; when a read is under way, another follows it. */
async function readNow() {
    if (page.isReading) {
        page.isReadAgainAsked = true;
        return;
    }
    clearTimeout(page.timer);
    page.isReading = true;
    try {
        await read();
        page.failureCount = 0;
        page.lastAnswer = new Date();
        showTrouble("");
        element("key-form").hidden = true;
    } catch (error) {
        page.failureCount += 1;
        const isKeyAsked = error instanceof AnswerError && error.status === 401;
        element("key-form").hidden = !isKeyAsked;
        showTrouble(isKeyAsked && !page.key ? "" : troubleWords(error));
        if (!(error instanceof AnswerError)) console.warn(error);
        if (isKeyAsked) return;
    } finally {
        page.isReading = false;
    }
    const isAtOnce = page.isReadAgainAsked;
    page.isReadAgainAsked = false;
    const wait = Math.min(pollMillisecondsMax, pollMilliseconds * (1 + page.failureCount));
    page.timer = setTimeout(poll, isAtOnce ? 0 : wait);
}

function poll() {
    // Nobody sees a hidden tab; it reads again when it is shown.
    if (!document.hidden) readNow();
}

document.addEventListener("visibilitychange", poll);
addEventListener("popstate", () => {
    select(new URLSearchParams(location.search).get("model") ?? firstChoice());
});
darkness.addEventListener("change", () => {
    driftChart.forget();
    performanceChart.forget();
    draw();
});
element("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    page.key = element("key").value.trim();
    element("key").value = "";
    readNow();
});
readNow();
