/** Guest images: kernels and programs from Debian's packages, and the initramfs. */
module dev.multivisor.images {
    requires org.apache.commons.compress;
    requires org.tukaani.xz;

    exports dev.multivisor.images;
}
