/** Nothing but tests, as a module so that engines can be loaded beside it. */
module dev.multivisor.it {
    requires dev.multivisor.host;
    requires dev.multivisor.server;
    requires dev.multivisor.images;
    requires dev.multivisor.shadow;
    requires dev.multivisor.snapshots;
    requires java.compiler;
    requires java.management;
}
