/** An integrity monitor: tells who changes the code and the tables of a running guest's kernel. */
module dev.multivisor.watch {
    requires transitive dev.multivisor.host;

    exports dev.multivisor.watch;
}
