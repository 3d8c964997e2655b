/** The command line. */
module dev.multivisor.cli {
    requires dev.multivisor.host;
    requires dev.multivisor.images;
    requires dev.multivisor.snapshots;
    requires dev.multivisor.server;
    requires info.picocli;
    requires java.xml;
    requires org.jline.terminal;
    requires tools.jackson.databind;

    opens dev.multivisor.cli to
            info.picocli;
}
