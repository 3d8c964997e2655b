package dev.multivisor.server;

import dev.multivisor.watch.Alteration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Optional;

/**
 * A line of what {@code watch} tells.
 *
 * @param time when, as ISO 8601 has it
 * @param kind {@code watching} at the beginning, {@code changed}, {@code poked} for changes by the
 *     kernel itself that are told together, {@code moved} when the machine is on another engine and
 *     is watched there, {@code lost} when changes came faster than they were read, {@code ended} at the end
 * @param detail one line for people
 * @param change what was changed
 */
public record WatchView(String time, String kind, String detail, Optional<Change> change) {
    /** The kinds. */
    enum Kind {
        WATCHING,
        CHANGED,
        POKED,
        MOVED,
        LOST,
        ENDED
    }

    /**
     * Bytes of the kernel that were changed. Addresses are 16 digits after {@code 0x}, bytes two digits each.
     *
     * @param part {@code text}, {@code idt} or {@code syscalls}
     * @param means {@code cpu}, {@code outside}, {@code kernel}, or {@code text_poke}: through the mapping that the kernel makes to change
     *     its own code
     * @param physical guest-physical address of the first byte
     * @param linear where the kernel itself sees it
     * @param symbol what is there
     * @param before what was there
     * @param after what was written
     * @param cpu the vCPU that wrote
     * @param instruction linear address of the instruction that wrote
     * @param code whose code that is
     * @param delayNanos from the write until this line was made
     */
    public record Change(
            String part,
            String means,
            String physical,
            String linear,
            String symbol,
            String before,
            String after,
            Optional<Integer> cpu,
            Optional<String> instruction,
            Optional<String> code,
            long delayNanos) {}

    static WatchView of(Kind kind, String detail) {
        return new WatchView(Instant.now().toString(), lower(kind), detail, Optional.empty());
    }

    /** A change that did not happen. */
    public static WatchView example() {
        return of(new Alteration(
                Instant.now(),
                System.nanoTime(),
                Alteration.Part.SYSCALLS,
                0,
                0,
                "",
                new byte[8],
                new byte[8],
                Alteration.Means.CPU,
                0,
                1,
                "code"));
    }

    static WatchView of(Alteration one) {
        boolean cpu = one.cpu() >= 0;
        Change change = new Change(
                lower(one.part()),
                lower(one.means()),
                address(one.physical()),
                address(one.linear()),
                one.symbol(),
                HexFormat.of().formatHex(one.before()),
                HexFormat.of().formatHex(one.after()),
                cpu ? Optional.of(one.cpu()) : Optional.empty(),
                cpu ? Optional.of(address(one.instruction())) : Optional.empty(),
                one.code().isEmpty() ? Optional.empty() : Optional.of(one.code()),
                System.nanoTime() - one.written());
        return new WatchView(one.time().toString(), lower(Kind.CHANGED), "", Optional.of(change));
    }

    private static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    private static String address(long address) {
        return "0x" + HexFormat.of().toHexDigits(address);
    }
}
