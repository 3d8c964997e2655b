import dev.multivisor.api.Boot;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.LoadedEngine;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.images.Image;
import dev.multivisor.images.Images;
import dev.multivisor.images.Initramfs;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Guests that were booted in one process, each while those before do nothing: how long each boot takes, how many regions are
 * compiled then, and the memory of the process. Arguments: the engine, the image, how many.
 */
final class GuestsBench {
    private static final long MEMORY = 512L << 20;
    private static final String UP = "guest: up";
    private static final String SCRIPT = "#!/bin/sh\necho '" + UP + "'\nsleep 1000000\n";
    private static final long PATIENCE_NANOS = 300_000_000_000L;

    private GuestsBench() {}

    public static void main(String[] arguments) throws Exception {
        LoadedEngine engine = LoadedEngine.load(EngineJar.read(Path.of(arguments[0])));
        Image image = Images.open(Images.defaultCache()).find(arguments[1]).orElseThrow();
        byte[] kernel = Files.readAllBytes(image.kernel());
        byte[] initramfs = new Initramfs(image)
                .script(SCRIPT.getBytes(StandardCharsets.UTF_8))
                .toByteArray();
        List<VirtualMachine> machines = new ArrayList<>();
        System.out.println("| guest | boot, s | regions asked for | resident, MiB | Pss, MiB |");
        System.out.println("| --- | --- | --- | --- | --- |");
        for (int n = 1; n <= Integer.parseInt(arguments[2]); n++) {
            long start = System.nanoTime();
            VirtualMachine machine = boot(engine, kernel, initramfs);
            machines.add(machine);
            long took = System.nanoTime() - start;
            // What was left to do in the background is done then.
            Thread.sleep(2000);
            System.out.printf(
                    "| %d | %.2f | %d | %d | %d |%n",
                    n, took / 1e9, machine.statistics().get("compileRequests"), mebibytes("Rss"), mebibytes("Pss"));
        }
        machines.forEach(VirtualMachine::close);
        System.exit(0);
    }

    private static VirtualMachine boot(LoadedEngine engine, byte[] kernel, byte[] initramfs) throws Exception {
        ByteArrayOutputStream shown = new ByteArrayOutputStream();
        StreamConsole console = new StreamConsole(List.of(shown));
        VirtualMachine machine = VirtualMachine.create(
                engine,
                new VirtualMachine.Settings(
                        "bench",
                        MEMORY,
                        new MachineSpec(1, "x86-64-v2", Map.of()),
                        console,
                        new StreamConsole(List.of())),
                new Boot(
                        new Boot.Image("vmlinuz", MemorySegment.ofArray(kernel)),
                        List.of(new Boot.Image("initramfs", MemorySegment.ofArray(initramfs))),
                        "console=ttyS0"));
        machine.start();
        for (long end = System.nanoTime() + PATIENCE_NANOS;
                !shown.toString(StandardCharsets.UTF_8).contains(UP); ) {
            if (System.nanoTime() > end || machine.ended()) {
                throw new IllegalStateException("the guest does not start: " + shown.toString(StandardCharsets.UTF_8));
            }
            Thread.sleep(10);
        }
        return machine;
    }

    private static long mebibytes(String key) throws Exception {
        return Files.readAllLines(Path.of("/proc/self/smaps_rollup")).stream()
                        .filter(line -> line.startsWith(key + ":"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                        .sum()
                >> 10;
    }
}
