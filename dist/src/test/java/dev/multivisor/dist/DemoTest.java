package dev.multivisor.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** The demonstration with the guest that comes along; module {@code it} has the one with Linux. */
class DemoTest {
    @TempDir
    Path folder;

    @Test
    void theGuestLosesNothingWhileItsEngineIsReplaced() throws Exception {
        Path svg = folder.resolve("demo.svg");
        Program.Result result = demo("--seconds", "2", "--svg", svg.toString());
        assertEquals(0, result.status(), result.out() + result.err());
        assertEquals("", result.err());
        assertTrue(result.out().startsWith("the guest that comes along starts on engine "), result.out());
        assertLine("timer beats   [1-9][0-9,]*, lost 0, too early 0", result);
        assertLine("clock         [0-9.]+ s, errors 0", result);
        assertLine("checksums     ([1-9]\\d*) of \\1 right, [1-9][0-9,]* rounds", result);
        assertLine("moves         3 of 3 made", result);
        NodeList lines = DocumentBuilderFactory.newDefaultInstance()
                .newDocumentBuilder()
                .parse(svg.toFile())
                .getElementsByTagName("line");
        long moves = IntStream.range(0, lines.getLength())
                .filter(n -> ((Element) lines.item(n)).getAttribute("class").equals("move"))
                .count();
        assertEquals(3, moves);
    }

    @Test
    void badOptionsAreOneLine() throws Exception {
        demo("--seconds", "1").assertBad("--seconds: 1 is not between 2 and 600");
        demo("--svg", folder.resolve("no/demo.svg").toString()).assertBad("--svg: ", "there is no folder");
        demo("--svg", folder.toString()).assertBad("--svg: ", "is a folder");
        demo("--to", "9.9").assertBad("there is no version 9.9");
        demo("--from", "no.jar").assertBad("no.jar", "there is no such file");
        demo("--gif").assertBad("Unknown option: '--gif'");
    }

    private Program.Result demo(String... options) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("demo", "--builtin"));
        arguments.addAll(List.of(options));
        return new Program(folder).multivisor("", arguments);
    }

    private static void assertLine(String expected, Program.Result result) {
        long found = result.out().lines().filter(line -> line.matches(expected)).count();
        assertEquals(1, found, expected + "\n" + result.out());
    }
}
