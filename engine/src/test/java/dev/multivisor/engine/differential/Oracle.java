package dev.multivisor.engine.differential;

import dev.multivisor.engine.isa.Op;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The host's CPU, driven through the helper program {@code src/test/c/oracle.c}. */
final class Oracle implements AutoCloseable {
    private static final int SIGALRM = 14, CASE_SIZE = 584, RESULT_SIZE = 592;
    private static final int BP = 3, PF = 14;

    private final Process process;
    private final OutputStream out;
    private final DataInputStream in;

    /** Whether 16-bit code can be run. */
    final boolean sixteen;

    private Oracle(Process process) throws IOException {
        this.process = process;
        out = process.getOutputStream();
        in = new DataInputStream(process.getInputStream());
        sixteen = in.readInt() != 0;
    }

    /** Compiles and starts the helper; empty where the host is not an x86-64 Linux with a C compiler. */
    static Optional<Oracle> start() throws IOException, InterruptedException {
        Path source = Path.of("src/test/c/oracle.c");
        Path program = Path.of("target/oracle");
        if (!System.getProperty("os.arch").equals("amd64")
                || !System.getProperty("os.name").equals("Linux")) {
            return Optional.empty();
        }
        try {
            Process compiler = new ProcessBuilder(
                            "cc", "-O2", "-fno-stack-protector", "-o", program.toString(), source.toString())
                    .inheritIO()
                    .start();
            if (compiler.waitFor() != 0) {
                throw new IOException(source + " does not compile");
            }
        } catch (IOException e) {
            if (!Files.exists(program)) {
                return Optional.empty();
            }
            throw e;
        }
        return Optional.of(
                new Oracle(new ProcessBuilder(program.toAbsolutePath().toString())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start()));
    }

    List<Outcome> run(List<TestCase> cases) throws IOException {
        int size = 8;
        for (TestCase test : cases) {
            size += CASE_SIZE + test.patch.length;
        }
        ByteBuffer buffer = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putInt(cases.size()).putInt(size - 8);
        for (TestCase test : cases) {
            buffer.putInt(test.mode).putInt(test.code.length).put(test.code);
            buffer.position(buffer.position() + 16 - test.code.length);
            buffer.putLong(test.flags);
            for (long value : test.gpr) {
                buffer.putLong(value);
            }
            buffer.put(test.fx)
                    .putInt(test.patchOffset)
                    .putInt(test.patch.length)
                    .put(test.patch);
        }
        out.write(buffer.array());
        out.flush();
        byte[] bytes;
        try {
            bytes = new byte[Integer.reverseBytes(in.readInt())];
            in.readFully(bytes);
        } catch (EOFException e) {
            process.destroy();
            throw new IOException(
                    "the helper ended in a batch of " + cases.getFirst() + ", status "
                            + process.onExit().join().exitValue(),
                    e);
        }
        ByteBuffer results = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        List<Outcome> outcomes = new ArrayList<>(cases.size());
        for (TestCase test : cases) {
            outcomes.add(outcome(test, results));
        }
        return outcomes;
    }

    private static Outcome outcome(TestCase test, ByteBuffer in) {
        int start = in.position();
        Outcome outcome = new Outcome();
        int signal = in.getInt();
        int trap = in.getInt();
        outcome.error = in.getLong();
        outcome.cr2 = in.getLong();
        outcome.rip = in.getLong();
        outcome.flags = in.getLong();
        for (int n = 0; n < 16; n++) {
            outcome.gpr[n] = in.getLong();
        }
        in.get(outcome.fx);
        outcome.changedOffset = in.getInt();
        outcome.changed = new byte[in.getInt()];
        in.get(outcome.changed);
        assert in.position() == start + RESULT_SIZE + outcome.changed.length;
        if (signal == SIGALRM) {
            outcome.vector = Outcome.TIMEOUT;
        } else if (trap == BP && test.form.op() != Op.INT3) {
            // The INT3 that follows the instruction, or stands where it jumped to.
            outcome.rip--;
        } else if (trap == PF && outcome.rip != test.start() && outcome.cr2 == outcome.rip) {
            // It jumped to where nothing can be executed.
            outcome.vector = Outcome.COMPLETED;
        } else {
            outcome.vector = trap;
        }
        return outcome;
    }

    @Override
    public void close() throws IOException {
        out.close();
        process.destroy();
    }
}
