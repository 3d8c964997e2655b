package dev.multivisor.cli;

import java.io.StringWriter;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/**
 * Draws a demonstration as SVG (Scalable Vector Graphics 1.1): the guest's largest gaps above, its speed below, the moves as lines
 * through both. Written as XML, not through java.desktop, which needs fonts on the host and seconds to start.
 */
final class DemoChart {
    private static final int WIDTH = 960, HEIGHT = 460;
    private static final int LEFT = 70, RIGHT = 940;
    private static final int GAP_TOP = 60, GAP_BOTTOM = 240, SPEED_TOP = 270, SPEED_BOTTOM = 410;

    /** The gap's axis, in powers of ten of a millisecond. */
    private static final int LOWEST = -2, HIGHEST = 2;

    private static final String STYLE = """
            text { font: 12px sans-serif; fill: #333 } .title { font-size: 16px } .axis { stroke: #ccc }
            .gap { stroke: #1f77b4; stroke-width: 2 } .speed { stroke: #2ca02c; fill: none; stroke-width: 1.5 }
            .move { stroke: #d62728; stroke-dasharray: 4 3 } .label { fill: #d62728 } .rehearsal { fill: #d62728; opacity: 0.08 }
            """;

    private final DemoResults results;
    private final double end;

    DemoChart(DemoResults results) {
        this.results = results;
        end = results.seen().isEmpty() ? 1 : results.seen().getLast().beat().time() / 1e9;
    }

    /** The document. */
    @Override
    public String toString() {
        StringWriter text = new StringWriter();
        try {
            XMLStreamWriter xml = XMLOutputFactory.newFactory().createXMLStreamWriter(text);
            xml.writeStartDocument("UTF-8", "1.0");
            xml.writeStartElement("svg");
            xml.writeDefaultNamespace("http://www.w3.org/2000/svg");
            attributes(xml, "width", WIDTH, "height", HEIGHT, "viewBox", "0 0 " + WIDTH + " " + HEIGHT);
            element(xml, "style", STYLE);
            element(xml, "rect", "", "width", WIDTH, "height", HEIGHT, "fill", "white");
            element(xml, "text", results.guest() + " under replaced engines", "class", "title", "x", LEFT, "y", 24);
            axes(xml);
            moves(xml);
            gaps(xml);
            speed(xml);
            xml.writeEndDocument();
            xml.close();
        } catch (XMLStreamException e) {
            throw new CliException(ExitStatus.FAILED, "--svg: cannot be drawn (" + e.getMessage() + ")");
        }
        return text + "\n";
    }

    private void axes(XMLStreamWriter xml) throws XMLStreamException {
        element(xml, "text", "largest gap in 100 ms, in ms", "x", LEFT, "y", GAP_TOP - 8);
        for (int power = LOWEST; power <= HIGHEST; power++) {
            double y = gapY(Math.pow(10, power));
            line(xml, "axis", LEFT, y, RIGHT, y);
            String label = power < 0
                    ? String.format(Locale.ROOT, "%." + -power + "f", Math.pow(10, power))
                    : "1" + "0".repeat(power);
            element(xml, "text", label, "x", LEFT - 8, "y", number(y + 4), "text-anchor", "end");
        }
        double best = best();
        element(xml, "text", "rounds a second", "x", LEFT, "y", SPEED_TOP - 8);
        for (double value : new double[] {0, best / 2, best}) {
            double y = speedY(value);
            line(xml, "axis", LEFT, y, RIGHT, y);
            element(xml, "text", "%.0f".formatted(value), "x", LEFT - 8, "y", number(y + 4), "text-anchor", "end");
        }
        double step = Math.max(1, Math.ceil(end / 50) * 5);
        for (double time = 0; time <= end; time += step) {
            element(
                    xml,
                    "text",
                    "%.0f s".formatted(time),
                    "x",
                    number(x(time)),
                    "y",
                    SPEED_BOTTOM + 18,
                    "text-anchor",
                    "middle");
        }
    }

    private void moves(XMLStreamWriter xml) throws XMLStreamException {
        for (DemoRun.Move move : results.moves()) {
            double x = x(results.seconds(move.moved()));
            double begun = x(results.seconds(move.begun()));
            element(
                    xml,
                    "rect",
                    "",
                    "class",
                    "rehearsal",
                    "x",
                    number(begun),
                    "y",
                    GAP_TOP,
                    "width",
                    number(x - begun),
                    "height",
                    SPEED_BOTTOM - GAP_TOP);
            line(xml, "move", x, GAP_TOP - 12, x, SPEED_BOTTOM);
            String label = move.name() + " to " + move.report().to() + ", stopped "
                    + DemoResults.millis(move.report().stopped()) + " ms";
            element(
                    xml,
                    "text",
                    label,
                    "class",
                    "label",
                    "x",
                    number(x),
                    "y",
                    GAP_TOP - 16,
                    "text-anchor",
                    x > RIGHT - 100 ? "end" : "middle");
        }
    }

    private void gaps(XMLStreamWriter xml) throws XMLStreamException {
        for (Heartbeat.Seen report : results.seen()) {
            double x = x(report.beat().time() / 1e9);
            line(xml, "gap", x, GAP_BOTTOM, x, gapY(report.beat().gap() / 1e6));
        }
    }

    private void speed(XMLStreamWriter xml) throws XMLStreamException {
        String points = IntStream.range(1, results.seen().size())
                .mapToObj(n ->
                        number(x(results.seen().get(n).beat().time() / 1e9)) + "," + number(speedY(results.speed(n))))
                .collect(Collectors.joining(" "));
        element(xml, "polyline", "", "class", "speed", "points", points);
    }

    private double best() {
        return IntStream.range(0, results.seen().size())
                .mapToDouble(results::speed)
                .max()
                .orElse(1);
    }

    private double x(double seconds) {
        return LEFT + Math.clamp(seconds / end, 0, 1) * (RIGHT - LEFT);
    }

    private static double gapY(double millis) {
        double part = (Math.log10(Math.max(millis, 1e-9)) - LOWEST) / (HIGHEST - LOWEST);
        return GAP_BOTTOM - Math.clamp(part, 0, 1) * (GAP_BOTTOM - GAP_TOP);
    }

    private double speedY(double rounds) {
        return SPEED_BOTTOM - rounds / Math.max(best(), 1) * (SPEED_BOTTOM - SPEED_TOP);
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }

    private static void line(XMLStreamWriter xml, String kind, double x1, double y1, double x2, double y2)
            throws XMLStreamException {
        element(xml, "line", "", "class", kind, "x1", number(x1), "y1", number(y1), "x2", number(x2), "y2", number(y2));
    }

    private static void element(XMLStreamWriter xml, String name, String text, Object... attributes)
            throws XMLStreamException {
        xml.writeStartElement(name);
        attributes(xml, attributes);
        xml.writeCharacters(text);
        xml.writeEndElement();
    }

    private static void attributes(XMLStreamWriter xml, Object... namesAndValues) throws XMLStreamException {
        for (int n = 0; n < namesAndValues.length; n += 2) {
            xml.writeAttribute(namesAndValues[n].toString(), namesAndValues[n + 1].toString());
        }
    }
}
