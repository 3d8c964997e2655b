/** Machines as files: folders with a guest's memory, a machine's state and what describes them. */
module dev.multivisor.snapshots {
    requires transitive dev.multivisor.host;
    requires tools.jackson.core;

    exports dev.multivisor.snapshots;
}
