package dev.multivisor.cli;

import java.io.StringWriter;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/**
 * Draws a demonstration as SVG (Scalable Vector Graphics 1.1): the guest's largest gaps above, its speed below, the moves as
 * lines through both, and behind them the time in which a target rehearsed. Written as XML, without java.desktop, which needs
 * fonts on the host and a second or two to start.
 */
final class DemoChart {
    private static final int WIDTH = 960, HEIGHT = 480;
    private static final int LEFT = 70, RIGHT = 940;
    private static final int GAP_TOP = 100, GAP_BOTTOM = 265, SPEED_TOP = 295, SPEED_BOTTOM = 435;
    private static final int LINE = 14;

    /** The gap's axis, in powers of ten of a millisecond. */
    private static final int LOWEST = -2, HIGHEST = 2;

    private static final String STYLE = """
            text { font: 12px sans-serif; fill: #333 } .title { font-size: 16px } .axis { stroke: #ccc }
            .gap { stroke: #1f77b4; stroke-width: 2 } .speed { stroke: #2ca02c; fill: none; stroke-width: 1.5 }
            .background { fill: white } .move { stroke: #d62728; stroke-dasharray: 4 3 } .label { fill: #d62728 }
            .rehearsal { fill: #d62728; opacity: 0.08 }
            """;

    private final DemoResults results;
    private final StringWriter text = new StringWriter();
    private final XMLStreamWriter xml;
    private final double end;

    /** Draws it. */
    DemoChart(DemoResults results) {
        this.results = results;
        end = results.seen().isEmpty() ? 1 : results.seen().getLast().beat().time() / 1e9;
        try {
            xml = XMLOutputFactory.newFactory().createXMLStreamWriter(text);
            draw();
            xml.close();
        } catch (XMLStreamException e) {
            throw new CliException(ExitStatus.FAILED, "--svg: cannot be drawn (" + e.getMessage() + ")");
        }
    }

    /** The document. */
    @Override
    public String toString() {
        return text + "\n";
    }

    private void draw() throws XMLStreamException {
        xml.writeStartDocument("UTF-8", "1.0");
        xml.writeStartElement("svg");
        xml.writeDefaultNamespace("http://www.w3.org/2000/svg");
        attribute("width", WIDTH);
        attribute("height", HEIGHT);
        attribute("viewBox", "0 0 " + WIDTH + " " + HEIGHT);
        xml.writeStartElement("style");
        xml.writeCharacters(STYLE);
        xml.writeEndElement();
        rectangle("background", 0, 0, WIDTH, HEIGHT);
        text("title", LEFT, 24, "start", results.guest() + " while its engine is replaced");
        axes();
        for (int n = 0; n < results.moves().size(); n++) {
            move(results.moves().get(n), 44 + n % 3 * LINE);
        }
        for (Heartbeat.Seen report : results.seen()) {
            double x = x(report.beat().time() / 1e9);
            line("gap", x, GAP_BOTTOM, x, gapY(report.beat().gap() / 1e6));
        }
        speed();
        xml.writeEndDocument();
    }

    private void axes() throws XMLStreamException {
        text("caption", LEFT, GAP_TOP - 10, "start", "largest gap in each 100 ms of the guest, ms");
        List<String> labels = List.of("0.01", "0.1", "1", "10", "100");
        for (int n = 0; n <= HIGHEST - LOWEST; n++) {
            double y = gapY(Math.pow(10, LOWEST + n));
            line("axis", LEFT, y, RIGHT, y);
            text("tick", LEFT - 8, y + 4, "end", labels.get(n));
        }
        text("caption", LEFT, SPEED_TOP - 8, "start", "rounds of its computation a second");
        for (int n = 0; n <= 2; n++) {
            double y = speedY(best() * n / 2);
            line("axis", LEFT, y, RIGHT, y);
            text("tick", LEFT - 8, y + 4, "end", String.format(Locale.ROOT, "%.0f", best() * n / 2));
        }
        double step = Math.max(1, Math.ceil(end / 50) * 5);
        for (double time = 0; time <= end; time += step) {
            text("tick", x(time), SPEED_BOTTOM + 18, "middle", String.format(Locale.ROOT, "%.0f s", time));
        }
    }

    private void move(DemoRun.Move move, double y) throws XMLStreamException {
        double x = x(results.seconds(move.moved()));
        double begun = x(results.seconds(move.begun()));
        rectangle("rehearsal", begun, GAP_TOP, x - begun, SPEED_BOTTOM - GAP_TOP);
        line("move", x, y - LINE, x, SPEED_BOTTOM);
        boolean left = x > (LEFT + RIGHT) / 2.0;
        String stopped = DemoResults.millis(move.report().stopped());
        text(
                "label",
                x + (left ? -5 : 5),
                y,
                left ? "end" : "start",
                "%s to engine %s, stopped %s ms"
                        .formatted(move.name(), move.report().to(), stopped));
    }

    private void speed() throws XMLStreamException {
        xml.writeEmptyElement("polyline");
        attribute("class", "speed");
        attribute(
                "points",
                IntStream.range(1, results.seen().size()).mapToObj(this::point).collect(Collectors.joining(" ")));
    }

    private String point(int report) {
        double seconds = results.seen().get(report).beat().time() / 1e9;
        return number(x(seconds)) + "," + number(speedY(results.speed(report)));
    }

    private double best() {
        return Math.max(
                1,
                IntStream.range(0, results.seen().size())
                        .mapToDouble(results::speed)
                        .max()
                        .orElse(1));
    }

    private double x(double seconds) {
        return LEFT + Math.clamp(seconds / end, 0, 1) * (RIGHT - LEFT);
    }

    private static double gapY(double millis) {
        double part = (Math.log10(Math.max(millis, 1e-9)) - LOWEST) / (HIGHEST - LOWEST);
        return GAP_BOTTOM - Math.clamp(part, 0, 1) * (GAP_BOTTOM - GAP_TOP);
    }

    private double speedY(double rounds) {
        return SPEED_BOTTOM - rounds / best() * (SPEED_BOTTOM - SPEED_TOP);
    }

    // ---- elements ----

    private void rectangle(String kind, double x, double y, double width, double height) throws XMLStreamException {
        xml.writeEmptyElement("rect");
        attribute("class", kind);
        attribute("x", number(x));
        attribute("y", number(y));
        attribute("width", number(width));
        attribute("height", number(height));
    }

    private void line(String kind, double x1, double y1, double x2, double y2) throws XMLStreamException {
        xml.writeEmptyElement("line");
        attribute("class", kind);
        attribute("x1", number(x1));
        attribute("y1", number(y1));
        attribute("x2", number(x2));
        attribute("y2", number(y2));
    }

    private void text(String kind, double x, double y, String anchor, String content) throws XMLStreamException {
        xml.writeStartElement("text");
        attribute("class", kind);
        attribute("x", number(x));
        attribute("y", number(y));
        attribute("text-anchor", anchor);
        xml.writeCharacters(content);
        xml.writeEndElement();
    }

    private void attribute(String name, Object value) throws XMLStreamException {
        xml.writeAttribute(name, value.toString());
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }
}
