package dev.multivisor.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** When this process, launcher included, got how far on its way to the guest's first instruction. */
final class StartUp {
    private static final double TICKS_PER_SECOND = 100;

    /** Where the start time is among what follows the command's name (Linux, proc_pid_stat(5)). */
    private static final int START_TIME = 19;

    private record Point(String name, long nanos) {}

    private static final List<Point> POINTS = new CopyOnWriteArrayList<>();

    private StartUp() {}

    /** Notes that the start got to a point; only the first time counts. */
    static void reached(String point) {
        long now = System.nanoTime();
        for (Point earlier : POINTS) {
            if (earlier.name.equals(point)) {
                return;
            }
        }
        POINTS.add(new Point(point, now));
    }

    /** All points in seconds since the process began, to hundredths; since the first one where that is unknown. */
    static String report() {
        if (POINTS.isEmpty()) {
            return "";
        }
        long zero = System.nanoTime() - age(System.nanoTime() - POINTS.getFirst().nanos);
        StringBuilder text = new StringBuilder("start-up:");
        for (Point point : POINTS) {
            text.append(text.length() > 9 ? ", " : " ")
                    .append(String.format("%.2f s %s", (point.nanos - zero) * 1e-9, point.name));
        }
        return text.toString();
    }

    private static long age(long unknown) {
        try {
            String uptime = Files.readString(Path.of("/proc/uptime"));
            String stat = Files.readString(Path.of("/proc/self/stat"));
            String start = stat.substring(stat.lastIndexOf(')') + 2).split(" ")[START_TIME];
            double age = Double.parseDouble(uptime.substring(0, uptime.indexOf(' ')))
                    - Long.parseLong(start) / TICKS_PER_SECOND;
            return (long) (age * 1e9);
        } catch (IOException | RuntimeException e) {
            return unknown;
        }
    }
}
