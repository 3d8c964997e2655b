/** Guest images: Debian's kernels and busybox, taken as packages with the system's apt, and the initramfs. */
package dev.multivisor.images;
