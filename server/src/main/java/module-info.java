/** Control of running machines: HTTP with JSON over a Unix socket, both ends of it. */
module dev.multivisor.server {
    requires transitive dev.multivisor.host;
    requires transitive dev.multivisor.snapshots;
    requires dev.multivisor.watch;
    requires io.prometheus.metrics.core;
    requires io.prometheus.metrics.model;
    requires io.prometheus.writer.text;
    requires org.eclipse.jetty.client;
    requires org.eclipse.jetty.http;
    requires org.eclipse.jetty.io;
    requires org.eclipse.jetty.server;
    requires org.eclipse.jetty.unixdomain.server;
    requires org.eclipse.jetty.util;
    requires org.eclipse.jetty.websocket.core.client;
    requires org.eclipse.jetty.websocket.core.common;
    requires org.eclipse.jetty.websocket.core.server;
    requires tools.jackson.databind;

    exports dev.multivisor.server;

    opens dev.multivisor.server to
            tools.jackson.databind;
}
