/** The base: owns what must outlive an engine, and loads, chooses and replaces engines. */
module dev.multivisor.host {
    requires transitive dev.multivisor.api;
    requires java.management;

    uses dev.multivisor.api.Engine;

    exports dev.multivisor.host;
}
