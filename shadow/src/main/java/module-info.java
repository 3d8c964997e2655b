/** An example of a user of page tracking: keeps a shadow of a page table that a guest makes, as a mediated GPU does. */
module dev.multivisor.shadow {
    requires transitive dev.multivisor.host;

    exports dev.multivisor.shadow;
}
