package dev.multivisor.images;

import java.util.List;

/**
 * A Debian release that images are made from.
 *
 * @param image the image's name
 * @param suite the release's code name in the archive
 */
record Release(String image, String suite) {
    /** The releases, the default one first. */
    static final List<Release> ALL = List.of(new Release("debian-12", "bookworm"), new Release("debian-13", "trixie"));

    /** Depends on the newest kernel for virtual machines. */
    static final String KERNEL_PACKAGE = "linux-image-cloud-amd64";

    static final String BUSYBOX_PACKAGE = "busybox-static";

    static Release of(String image) {
        return ALL.stream()
                .filter(release -> release.image.equals(image))
                .findFirst()
                .orElseThrow(() -> new ImageException("no such image: " + image + " (there are "
                        + String.join(", ", ALL.stream().map(Release::image).toList()) + ")"));
    }
}
