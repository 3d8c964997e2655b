package dev.multivisor.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.host.HandoverReport;
import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

class DemoResultsTest {
    private static final long START = 5_000_000_000_000L;
    private static final long TENTH = 100_000_000L;

    @Test
    void nothingWrongIsNoProblem() {
        DemoResults results = results(beat -> beat);
        assertEquals(List.of(), results.problems());
        String text = print(results);
        assertTrue(text.contains("guest stood still, ms             0.250\n"), text);
        assertTrue(text.contains("  in the move                     0.900\n"), text);
        assertTrue(text.contains("  3 s before: median, max         0.100, 0.100\n"), text);
        assertTrue(text.contains("checksums     100 of 100 right, 200 rounds"), text);
        assertTrue(text.contains("moves         1 of 3 made"), text);
        assertEquals(
                1,
                text.lines()
                        .filter(line -> line.startsWith("moves   |"))
                        .mapToLong(DemoResultsTest::marks)
                        .sum());
    }

    @Test
    void eachThingThatDoesNotHoldIsNamed() {
        assertProblem("the guest lost 3 beats of its timer", "lost", 3);
        assertProblem("2 beats of the guest's timer came before they were due", "extra", 2);
        assertProblem("the guest found 1 errors in its clock", "clock", 1);
        assertProblem("the guest's timer is 9000 beats behind its clock", "beats", 1000);
        assertProblem("the guest's clock went back before report 100", "time", 98 * TENTH);
        assertProblem("the guest's report 100 did not arrive as such, but 101", "number", 101);
        String wrong = results(last("checksum", 0)).problems().getFirst();
        assertTrue(wrong.startsWith("the guest's checksum after 200 rounds, 00000000, is wrong: "), wrong);
    }

    @Test
    void aClockThatFallsBehindIsFound() {
        // From the 41st report on it is half a second late.
        DemoResults results = results(b -> b.number() <= 40 ? b : with(b, "time", b.time() - 5 * TENTH));
        assertTrue(
                results.problems().contains("the guest's clock has come to differ from the host's by 500.0 ms"),
                results.problems()::toString);
    }

    @Test
    void theChartIsXmlWithTheMovesMarked() throws Exception {
        String svg = new DemoChart(results(beat -> beat)).toString();
        Element root = DocumentBuilderFactory.newNSInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)))
                .getDocumentElement();
        assertEquals("svg", root.getLocalName());
        assertEquals("http://www.w3.org/2000/svg", root.getNamespaceURI());
        List<Element> moves = elements(root, "line", "move");
        assertEquals(1, moves.size());
        // At 5.05 of 10 seconds.
        assertEquals(70 + 870 * 0.505, Double.parseDouble(moves.getFirst().getAttribute("x1")), 0.1);
        assertEquals(
                "upgrade to engine 2 & a half, stopped 0.250 ms",
                elements(root, "text", "label").getFirst().getTextContent());
        assertEquals(100, elements(root, "line", "gap").size());
    }

    private static long marks(String line) {
        return line.chars().filter(c -> c == '^').count();
    }

    private static List<Element> elements(Element root, String name, String kind) {
        List<Element> found = new ArrayList<>();
        NodeList all = root.getElementsByTagName(name);
        for (int n = 0; n < all.getLength(); n++) {
            if (all.item(n) instanceof Element element
                    && element.getAttribute("class").equals(kind)) {
                found.add(element);
            }
        }
        return found;
    }

    private static String print(DemoResults results) {
        StringWriter text = new StringWriter();
        results.print(new PrintWriter(text));
        return text.toString();
    }

    private static void assertProblem(String problem, String field, long value) {
        assertEquals(List.of(problem), results(last(field, value)).problems());
    }

    /** Changes the last report. */
    private static UnaryOperator<Beat> last(String field, long value) {
        return beat -> beat.number() == 100 ? with(beat, field, value) : beat;
    }

    private static Beat with(Beat b, String field, long value) {
        return new Beat(
                b.cpu(),
                field.equals("number") ? value : b.number(),
                field.equals("time") ? value : b.time(),
                b.gap(),
                b.worst(),
                field.equals("beats") ? value : b.beats(),
                field.equals("lost") ? value : b.lost(),
                field.equals("extra") ? value : b.extra(),
                field.equals("clock") ? value : b.clock(),
                b.rounds(),
                field.equals("checksum") ? (int) value : b.checksum());
    }

    /** Ten seconds of reports, two rounds for each, with a move between the 50th and the 51st. */
    private static DemoResults results(UnaryOperator<Beat> change) {
        Workload workload = new Workload(0);
        List<Heartbeat.Seen> seen = new ArrayList<>();
        for (int n = 1; n <= 100; n++) {
            long gap = n == 51 ? 900_000 : 100_000;
            Beat beat = new Beat(0, n, n * TENTH, gap, 900_000, 100 * n, 0, 0, 0, 2 * n, workload.checksum(2 * n));
            seen.add(new Heartbeat.Seen(change.apply(beat), START + n * TENTH, 1_000_000L * n));
        }
        HandoverReport report = new HandoverReport(
                "1", "2 & a half", HandoverReport.Outcome.MOVED, List.of(), 250_000, 100_000, 100_000, 5000);
        long moved = START + 50 * TENTH + TENTH / 2;
        return new DemoResults(
                "a guest", seen, List.of(new DemoRun.Move("upgrade", moved - TENTH / 4, moved, report)), List.of());
    }
}
