package dev.multivisor.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jline.terminal.Attributes;
import org.jline.terminal.Attributes.ControlChar;
import org.jline.terminal.Attributes.InputFlag;
import org.jline.terminal.Attributes.LocalFlag;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.terminal.TerminalBuilder.SystemOutput;

/**
 * The user's terminal in raw mode: every key goes to the guest. Restored when this is closed, and also when the JVM
 * ends by a signal.
 */
final class RawTerminal implements AutoCloseable {
    private final Terminal terminal;
    private final Attributes saved;
    private final Thread hook = Thread.ofPlatform().name("restore-terminal").unstarted(this::restore);

    private RawTerminal(Terminal terminal) {
        this.terminal = terminal;
        this.saved = terminal.getAttributes();
        Runtime.getRuntime().addShutdownHook(hook);
        Attributes raw = new Attributes(saved);
        raw.setLocalFlag(LocalFlag.ICANON, false);
        raw.setLocalFlag(LocalFlag.ECHO, false);
        raw.setLocalFlag(LocalFlag.IEXTEN, false);
        raw.setLocalFlag(LocalFlag.ISIG, false);
        raw.setInputFlag(InputFlag.IXON, false);
        raw.setInputFlag(InputFlag.ICRNL, false);
        raw.setInputFlag(InputFlag.INLCR, false);
        raw.setInputFlag(InputFlag.IGNCR, false);
        raw.setInputFlag(InputFlag.BRKINT, false);
        raw.setInputFlag(InputFlag.ISTRIP, false);
        raw.setControlChar(ControlChar.VMIN, 1);
        raw.setControlChar(ControlChar.VTIME, 0);
        terminal.setAttributes(raw);
    }

    /** Whether somebody sits at both ends: keys come from a terminal, and there is one to show that on. */
    static boolean usable() {
        return isTerminal(0) && (isTerminal(1) || isTerminal(2));
    }

    /** Whether a standard stream is a terminal. */
    static boolean isTerminal(int descriptor) {
        try {
            Path target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor));
            return target.startsWith("/dev/pts") || target.toString().matches("/dev/(tty.*|console|hvc\\d+)");
        } catch (IOException e) {
            return false;
        }
    }

    static RawTerminal open() {
        try {
            Terminal terminal = TerminalBuilder.builder()
                    .system(true)
                    .provider("ffm")
                    .systemOutput(isTerminal(1) ? SystemOutput.ForcedSysOut : SystemOutput.ForcedSysErr)
                    .dumb(false)
                    .nativeSignals(false)
                    .graphemeCluster(false)
                    .build();
            return new RawTerminal(terminal);
        } catch (IOException | IllegalStateException e) {
            throw new CliException(
                    "terminal: cannot be switched to raw mode (" + e.getMessage() + "); with \"| cat\" it need not be");
        }
    }

    private void restore() {
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
