/** The execution engine: exports nothing and provides one service. */
module dev.multivisor.engine {
    requires dev.multivisor.api;
    requires tools.jackson.core;
    requires tools.jackson.dataformat.cbor;
    requires org.apache.commons.compress;
    requires org.tukaani.xz;

    provides dev.multivisor.api.Engine with
            dev.multivisor.engine.SoftEngine;
}
