package dev.multivisor.cli;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jline.terminal.Attributes;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStyle;
import org.jline.utils.Display;
import org.jline.utils.InfoCmp.Capability;
import org.jline.utils.NonBlockingReader;

/** The terminal as one page that is shown anew. As it was before when this is closed, also by a signal. */
final class TopScreen implements AutoCloseable {
    private static final String LEAVING = "qQ";

    /** For a terminal that does not tell its size. */
    private static final int ROWS = 24, COLUMNS = 80;

    private final Terminal terminal;
    private final Attributes saved;
    private final Display display;
    private final Thread hook = Thread.ofPlatform().name("restore-terminal").unstarted(this::restore);
    private List<String> shown = List.of();

    private TopScreen(Terminal terminal) {
        this.terminal = terminal;
        Runtime.getRuntime().addShutdownHook(hook);
        saved = terminal.enterRawMode();
        display = new Display(terminal, true);
        terminal.puts(Capability.enter_ca_mode);
        terminal.puts(Capability.cursor_invisible);
        terminal.flush();
    }

    static TopScreen open() {
        try {
            return new TopScreen(TerminalBuilder.builder()
                    .system(true)
                    .provider("ffm")
                    .dumb(false)
                    .nativeSignals(false)
                    .graphemeCluster(false)
                    .build());
        } catch (IOException | IllegalStateException e) {
            throw new CliException("terminal: cannot be used (" + e.getMessage() + "); with \"| cat\" it need not be");
        }
    }

    /** Shows lines, the first one in reverse; what does not fit is cut off. */
    void show(List<String> lines) {
        shown = lines;
        Size size = terminal.getSize();
        int rows = size.getRows() > 0 ? size.getRows() : ROWS;
        int columns = size.getColumns() > 0 ? size.getColumns() : COLUMNS;
        display.resize(Size.of(columns, rows));
        List<AttributedString> page = new ArrayList<>();
        for (String line : lines.subList(0, Math.min(rows, lines.size()))) {
            String cut = line.substring(0, Math.min(line.length(), columns));
            page.add(new AttributedString(cut, page.isEmpty() ? AttributedStyle.INVERSE : AttributedStyle.DEFAULT));
        }
        display.update(page, 0);
        terminal.flush();
    }

    /** Waits; returns false if a key or the terminal's end says that it is over. */
    boolean await(Duration time) throws InterruptedException {
        long end = System.nanoTime() + time.toNanos();
        try {
            while (true) {
                long left = (end - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return true;
                }
                int key = terminal.reader().read(left);
                if (key == NonBlockingReader.EOF || key > 0 && LEAVING.indexOf(key) >= 0) {
                    return false;
                }
                if (key > 0) {
                    show(shown);
                }
            }
        } catch (IOException e) {
            return false;
        }
    }

    private void restore() {
        terminal.puts(Capability.cursor_normal);
        terminal.puts(Capability.exit_ca_mode);
        terminal.flush();
        terminal.setAttributes(saved);
    }

    @Override
    public void close() {
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is on its way out already, and the hook does what was just done.
        }
    }
}
