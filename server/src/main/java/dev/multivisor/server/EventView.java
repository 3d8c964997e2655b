package dev.multivisor.server;

import dev.multivisor.host.MachineEvent;
import java.util.Locale;
import java.util.Optional;

/**
 * Something that happened to a machine.
 *
 * @param time when, as ISO 8601 has it
 * @param machine its name
 * @param kind what, such as {@code moved}
 * @param detail one line for people
 * @param handover what came of a handover, when this is its end
 */
public record EventView(String time, String machine, String kind, String detail, Optional<MoveView> handover) {
    static EventView of(MachineEvent event) {
        return new EventView(
                event.time().toString(),
                event.machine(),
                event.kind().name().toLowerCase(Locale.ROOT),
                event.detail(),
                event.handover().map(report -> MoveView.of(report, 0)));
    }
}
