/** The contract: the only types that an engine and the base share. */
module dev.multivisor.api {
    exports dev.multivisor.api;
}
