// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A gpiosk board as a program: the module's transmitter and its receiver as they are written in its source, with all
 * that can go wrong in them, on lines of the GPIO character device instead of the kernel's own. Knows nothing of gpiomux.
 *
 *   gpiosk_peer bridge CHIP INTERVAL_US TAP    frames of a TAP device go out, frames that come go into it
 *   gpiosk_peer send CHIP INTERVAL_US          pulses of standard input go out: c and d; anything else is a pause of 1 ms
 *   gpiosk_peer listen CHIP                    each frame that comes is a line of hexadecimal digits; w once it is wedged
 *
 * CTL_IN and DATA_IN are lines 17 and 27 of the chip, CTL_OUT and DATA_OUT 23 and 24, as on a board. As its kernel does,
 * the TAP hands out TCP and UDP with the sum of the pseudo-header for a checksum, and takes any checksum.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define CTL_IN 17
#define DATA_IN 27
#define CTL_OUT 23
#define DATA_OUT 24
#define MAX_FRAME 1500
#define MIN_FRAME 60

enum { CTL, DATA };

static int out_fd, in_fd, tap_fd = -1;
static long interval_ns;

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static int request(const char *chip, uint32_t ctl, uint32_t data, uint64_t flags)
{
	struct gpio_v2_line_request wanted = {
		.offsets = { ctl, data }, .consumer = "gpiosk", .num_lines = 2,
		.config.flags = flags, .event_buffer_size = 1024,
	};
	int fd = open(chip, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, GPIO_V2_GET_LINE_IOCTL, &wanted))
		err(1, "%s", chip);
	close(fd);
	return wanted.fd;
}

static void level(int line, int value)
{
	struct gpio_v2_line_values values = { .bits = (uint64_t)value << line, .mask = 1ULL << line };

	if (ioctl(out_fd, GPIO_V2_LINE_SET_VALUES_IOCTL, &values))
		err(1, "GPIO_V2_LINE_SET_VALUES");
}

/* gpio_ctl_on and gpio_data_on: high, a delay, low, and no delay after that. */
static void pulse(int line)
{
	long end_ns;

	level(line, 1);
	end_ns = now_ns() + interval_ns;
	while (now_ns() < end_ns)
		;
	level(line, 0);
}

static void delimiter(void)
{
	pulse(CTL);
	pulse(CTL);
	pulse(CTL);
	pulse(DATA);
}

/* gpio_tx */
static void transmit(const uint8_t *frame, size_t length)
{
	int mode = 0;

	delimiter();
	for (size_t i = 0; i < length; i++) {
		for (int j = 0; j < 8; j++) {
			int bit = frame[i] >> j & 1;

			if (bit != mode) {
				pulse(CTL);
				mode = bit;
			}
			pulse(DATA);
		}
	}
	delimiter();
}

static void deliver(const uint8_t *frame, size_t length)
{
	if (tap_fd < 0) {
		for (size_t i = 0; i < length; i++)
			printf("%02x", frame[i]);
		printf("\n");
		fflush(stdout);
		return;
	}
	uint8_t packet[sizeof(struct virtio_net_hdr) + MAX_FRAME] = { 0 };
	struct virtio_net_hdr *header = (struct virtio_net_hdr *)packet;

	header->flags = VIRTIO_NET_HDR_F_DATA_VALID; /* CHECKSUM_UNNECESSARY */
	memcpy(packet + sizeof(*header), frame, length);
	if (length >= 14 && write(tap_fd, packet, sizeof(*header) + length) < 0)
		warn("tap");
}

/* The two interrupt handlers. Where the module writes behind its memory, this tells that it would, and ends. */
static void edge(int line)
{
	static int ctl_count, mode, bits;
	static uint8_t value[MAX_FRAME];

	if (line == CTL) {
		if (++ctl_count == 4) {
			printf("w\n");
			fflush(stdout);
		}
		return;
	}
	if (ctl_count == 3) {
		ctl_count = 0;
		if (bits == 0)
			return;
		deliver(value, bits / 8);
		memset(value, 0, sizeof(value));
		bits = mode = 0;
		return;
	}
	if (ctl_count == 1) {
		ctl_count = 0;
		mode ^= 1;
	}
	if (bits >= 8 * MAX_FRAME)
		errx(2, "written behind the end of memory");
	value[bits / 8] |= mode << bits % 8;
	bits++;
}

static int by_seqno(const void *one, const void *other)
{
	const struct gpio_v2_line_event *a = one, *b = other;

	return (int32_t)(a->seqno - b->seqno) < 0 ? -1 : 1;
}

/* A handler runs for each edge on a board; here edges that the interrupt threads merge are lost, which is told. */
static void *receive(void *unused)
{
	static struct gpio_v2_line_event events[1024];
	uint32_t last = 0;

	for (;;) {
		ssize_t length = read(in_fd, events, sizeof(events));

		if (length < 0)
			err(1, "events");
		length /= sizeof(*events);
		qsort(events, length, sizeof(*events), by_seqno);
		for (ssize_t i = 0; i < length; i++) {
			if (events[i].seqno != last + 1)
				fprintf(stderr, "gap %d\n", (int)(events[i].seqno - last - 1));
			last = events[i].seqno;
			edge(events[i].offset == CTL_IN ? CTL : DATA);
		}
		usleep(3000); /* what one thread is late with may come before it is looked for */
	}
	return unused;
}

static void open_tap(const char *name)
{
	struct ifreq wanted = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	strncpy(wanted.ifr_name, name, IFNAMSIZ - 1);
	tap_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (tap_fd < 0 || ioctl(tap_fd, TUNSETIFF, &wanted) || ioctl(tap_fd, TUNSETOFFLOAD, TUN_F_CSUM))
		err(1, "%s", name);
}

static void bridge(void)
{
	uint8_t packet[sizeof(struct virtio_net_hdr) + 2 * MAX_FRAME];

	for (;;) {
		memset(packet, 0, sizeof(packet));
		ssize_t length = read(tap_fd, packet, sizeof(packet));

		if (length < 0)
			err(1, "tap");
		length -= sizeof(struct virtio_net_hdr);
		if (length <= MAX_FRAME)
			transmit(packet + sizeof(struct virtio_net_hdr), length < MIN_FRAME ? MIN_FRAME : length);
	}
}

int main(int argc, char **argv)
{
	pthread_t receiver;

	if (argc < 3)
		errx(1, "usage: gpiosk_peer bridge|send|listen CHIP ...");
	if (argc > 3)
		interval_ns = atol(argv[3]) * 1000;
	if (strcmp(argv[1], "listen"))
		out_fd = request(argv[2], CTL_OUT, DATA_OUT, GPIO_V2_LINE_FLAG_OUTPUT);
	if (!strcmp(argv[1], "bridge"))
		open_tap(argv[4]);
	if (strcmp(argv[1], "send")) {
		in_fd = request(argv[2], CTL_IN, DATA_IN, GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING);
		if (pthread_create(&receiver, NULL, receive, NULL))
			errx(1, "no thread");
	}
	printf("ready\n");
	fflush(stdout);
	if (!strcmp(argv[1], "bridge"))
		bridge();
	if (!strcmp(argv[1], "send")) {
		for (int c = getchar(); c != EOF; c = getchar()) {
			if (c == 'c' || c == 'd')
				pulse(c == 'c' ? CTL : DATA);
			else
				usleep(1000);
		}
		return 0;
	}
	return pthread_join(receiver, NULL);
}
