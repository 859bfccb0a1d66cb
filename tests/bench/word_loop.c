// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The handshake of gpiomux-wire(7) as a C programmer writes it: words over GPIO lines, and nothing else.
 *
 * What gpiomux/lines/handshake.py is measured against. Same lines, same request, same rules: data is set before req
 * moves, by an ioctl of its own, and read again after req was seen to move, because a chip may set and read its lines
 * one after another; only lines that change are set; one look at the lines serves both directions.
 *
 *   word_loop FD WIDTH SENDS CHECKS BEGIN_S STOP_S
 *
 * FD       descriptor of a request: WIDTH data lines in, req in, ack in, WIDTH data lines out, req out, ack out.
 * SENDS    1: send words without end; 0: take words only.
 * CHECKS   1: the words that come must be those that another word_loop sends.
 * BEGIN_S  of CLOCK_MONOTONIC; words that come from then until STOP_S are counted. Prints their number.
 *
 * Whoever starts the two ends has set all lines of both low before.
 */

#include <err.h>
#include <linux/gpio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

/* A look at the clock is a system call there, so it is rare. */
#define TURNS_BETWEEN_LOOKS 256

static int fd;

static uint64_t get(uint64_t lines)
{
	struct gpio_v2_line_values values = { .mask = lines };

	if (ioctl(fd, GPIO_V2_LINE_GET_VALUES_IOCTL, &values))
		err(1, "GPIO_V2_LINE_GET_VALUES");
	return values.bits;
}

static void set(uint64_t levels, uint64_t lines)
{
	struct gpio_v2_line_values values = { .bits = levels, .mask = lines };

	if (ioctl(fd, GPIO_V2_LINE_SET_VALUES_IOCTL, &values))
		err(1, "GPIO_V2_LINE_SET_VALUES");
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* The next of the words that are sent: any bits, the same on both ends. */
static uint64_t next_word(uint32_t *state, uint64_t mask)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 24 & mask;
}

int main(int argc, char **argv)
{
	unsigned int width, turns = 0;
	uint64_t word_mask, req_in, ack_in, data_out, req_out, ack_out, levels;
	uint64_t seen_req = 0, wanted_ack = 0, out = 0;
	uint32_t sent = 1, expected = 1;
	unsigned long long came = 0, counted_from = 0;
	double begin_s, stop_s, time_s;
	int sends, checks, counting = 0;

	if (argc != 7)
		errx(2, "usage: word_loop FD WIDTH SENDS CHECKS BEGIN_S STOP_S");
	fd = atoi(argv[1]);
	width = atoi(argv[2]);
	sends = atoi(argv[3]);
	checks = atoi(argv[4]);
	begin_s = atof(argv[5]);
	stop_s = atof(argv[6]);

	word_mask = (1ULL << width) - 1;
	req_in = 1ULL << width;
	ack_in = req_in << 1;
	data_out = word_mask << (width + 2);
	req_out = req_in << (width + 2);
	ack_out = ack_in << (width + 2);

	for (;;) {
		uint64_t before = out;

		if (turns++ % TURNS_BETWEEN_LOOKS == 0) {
			time_s = now_s();
			if (time_s >= stop_s)
				break;
			if (!counting && time_s >= begin_s) {
				counting = 1;
				counted_from = came;
			}
		}
		levels = get(req_in | ack_in);
		if ((levels & req_in) != seen_req) {
			uint64_t word = get(word_mask);

			if (checks && word != next_word(&expected, word_mask))
				errx(1, "word %llu is wrong", came);
			came++;
			seen_req ^= req_in;
			out ^= ack_out;
		}
		if (sends && (levels & ack_in) == wanted_ack) {
			uint64_t word = next_word(&sent, word_mask) << (width + 2);

			/* An ack that is due as well goes with the data. */
			if (word != (out & data_out)) {
				out = (out & ~data_out) | word;
				set(out, out ^ before);
				before = out;
			}
			out ^= req_out;
			wanted_ack ^= ack_in;
		}
		if (out != before)
			set(out, out ^ before);
	}
	printf("%llu\n", came - counted_from);
	return 0;
}
