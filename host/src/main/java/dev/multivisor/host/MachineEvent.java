package dev.multivisor.host;

import java.time.Instant;
import java.util.Optional;

/**
 * Something that happened to a machine, for those who watch it from outside.
 *
 * @param time when
 * @param machine its name
 * @param kind what
 * @param detail one line for people; empty when there is nothing to add
 * @param handover what came of a handover, when this is its end
 */
public record MachineEvent(Instant time, String machine, Kind kind, String detail, Optional<HandoverReport> handover) {
    /** What can happen. */
    public enum Kind {
        /** The machine was built and waits to be started. */
        CREATED,
        /** Its vCPUs run, for the first time or again. */
        RUNNING,
        /** Its vCPUs and its clock stand still. */
        PAUSED,
        /** A target engine was asked whether it can take the machine, and said no. */
        REFUSED,
        /** A target engine rehearses. */
        REHEARSING,
        /** It moved to another engine. */
        MOVED,
        /** A move failed before its commit; it runs on where it was. */
        NOT_MOVED,
        /** The new engine has failed or stands still while on probation. */
        MISBEHAVED,
        /** The new engine has passed its probation. */
        APPROVED,
        /** It was captured for a snapshot. */
        CAPTURED,
        /** The guest's kernel has panicked. */
        PANICKED,
        /** Its run has ended. */
        ENDED
    }
}
