package dev.multivisor.api;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** A virtual machine on one engine. */
public interface Machine extends AutoCloseable {
    /** Its vCPUs, by number; the first is the one that boots. */
    List<VirtualCpu> cpus();

    /**
     * What {@link #save} would write for a reader. May be called at any time, also while vCPUs run.
     *
     * @param reader what the reader takes, as its {@link EngineInfo#state} says
     * @throws EngineException naming every section that cannot be written for it and every feature that it lacks
     */
    StateFormat format(StateFormat reader);

    /**
     * The whole state outside guest memory, in versions that the reader takes. Changes nothing, so that the machine
     * can go on.
     *
     * @param reader as for {@link #format}
     * @throws IllegalStateException while a vCPU is in {@link VirtualCpu#run}
     * @throws EngineException if the state cannot be written for the reader, or if a vCPU failed in the middle of an
     *     instruction, so that there is no whole state to save
     */
    byte[] save(StateFormat reader);

    /**
     * What has happened since this machine was created or restored here: counters by name, such as
     * {@code interrupts}, each of which only ever grows. May be called at any time.
     */
    Map<String, Long> statistics();

    /**
     * What the engine has made of guest code, for people to read: that which holds a linear address, or without an
     * address, a list of the busiest. May be called at any time; may take some hundred milliseconds.
     *
     * @return several lines; empty if the engine has made nothing of the code there
     * @throws EngineException from an engine that makes nothing of code
     */
    default Optional<String> explain(OptionalLong linear) {
        throw new EngineException("compiled code: this engine has none");
    }

    /**
     * Which guest code is hot, for {@link Engine#prepare}: where it is and what it was, never the code itself. May be
     * called at any time.
     *
     * @return the engine's own bytes; empty from an engine that does not tell
     */
    default byte[] hotCode() {
        return new byte[0];
    }

    /**
     * How this machine's memory is watched for writes.
     *
     * @throws EngineException from an engine that {@link Engine#tracksPages cannot}
     */
    default PageTracking tracking() {
        throw new EngineException("page tracking: this engine has none");
    }

    /**
     * Lets go of everything that was lent.
     *
     * @throws IllegalStateException while a vCPU is in {@link VirtualCpu#run}
     */
    @Override
    void close();
}
