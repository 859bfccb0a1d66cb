// SPDX-License-Identifier: GPL-2.0
/*
 * A null modem for GPIO: two chips of 32 lines, wired to each other.
 *
 * The test kernel's own hardware (see build.py): wire i joins line i of chip 0 with line
 * (i + 16) % 32 of chip 1, so the same offsets do for both ends of a link. An input reads what the
 * far line drives, or 0; a far edge raises its interrupt at once, in the context of the write.
 * gpio-sim has no wires, and its interrupts wait for the timer tick.
 *
 * Each chip is the platform device null-modem.0 or .1 and can be unplugged and plugged in again by
 * `unbind` and `bind` below /sys/bus/platform/drivers/null-modem. Its lines are named A0..A31 and
 * B0..B31. If the device tree has a node /null-modem-0 or /null-modem-1 it becomes the chip's, so
 * that other nodes can refer to it.
 *
 * Parameters (null_modem.NAME=... on the kernel's command line, or in
 * /sys/module/null_modem/parameters; a chip reads them when it is bound):
 *   multiple   0: no get_multiple and set_multiple, lines go one by one like those of bcm2835 and
 *              rp1. Default 1.
 *   labels     of the two chips, with a comma between. Default null-modem.0,null-modem.1.
 *
 * Faults of the cable, in /sys/kernel/debug/null-modem, one bit for each wire; they act, with
 * edges, when written:
 *   cut        wires that carry nothing: both ends read 0.
 *   high       wires that touch the supply: both ends read 1.
 * And what to look at, in the same place; a test writes 0 to begin anew:
 *   fights     wires that were driven from both ends.
 *   writes     how often levels were set, on either chip.
 */

#include <linux/bitops.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/gpio/driver.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#define LINES 32
#define SHIFT 16

/**
 * struct end - one chip; all masks have one bit for each line
 * @gc: the chip, for gpiolib
 * @far: the other one
 * @plugged: the chip is registered, interrupts may be raised
 * @out: lines that are outputs
 * @latch: levels that outputs drive
 * @level: levels as last seen, for edges
 * @rising: lines whose interrupt wants rising edges
 * @falling: lines whose interrupt wants falling edges
 * @unmasked: lines whose interrupt is enabled
 */
struct end {
	struct gpio_chip gc;
	struct end *far;
	bool plugged;
	u32 out, latch, level, rising, falling, unmasked;
	const char *names[LINES];
};

static struct end ends[2] = { { .far = &ends[1] }, { .far = &ends[0] } };
static u32 cut, high, fights, writes;
/* Guards everything in ends[] but gc, and the faults. Never held while an interrupt is raised. */
static DEFINE_RAW_SPINLOCK(lock);

static bool multiple = true;
module_param(multiple, bool, 0644);
static char *labels[2] = { "null-modem.0", "null-modem.1" };
module_param_array(labels, charp, NULL, 0644);

/* A mask of lines of one chip as lines of the other; crossing twice changes nothing. */
static u32 cross(u32 lines)
{
	return rol32(lines, SHIFT);
}

static u32 levels_of(const struct end *end)
{
	u32 wires_cut = end == &ends[0] ? cut : cross(cut);
	u32 wires_high = end == &ends[0] ? high : cross(high);
	u32 in = cross(end->far->out & end->far->latch);

	in = (in & ~wires_cut) | wires_high;
	return (in & ~end->out) | (end->latch & end->out);
}

/* Note the edges since the last call and return the interrupts to raise. */
static unsigned long take_edges(struct end *end)
{
	u32 before = end->level;
	u32 wanted;

	end->level = levels_of(end);
	wanted = (end->rising & ~before & end->level) | (end->falling & before & ~end->level);
	return wanted & end->unmasked & ~end->out;
}

static void raise_interrupts(struct end *end, unsigned long lines)
{
	unsigned int offset;

	rcu_read_lock();
	if (READ_ONCE(end->plugged))
		for_each_set_bit(offset, &lines, LINES)
			generic_handle_domain_irq_safe(end->gc.irq.domain, offset);
	rcu_read_unlock();
}

/* Turn lines into inputs and outputs, set the levels of some outputs, and let both ends see it. */
static void drive(struct end *end, u32 inputs, u32 outputs, u32 lines, u32 levels)
{
	unsigned long own, far, flags;

	raw_spin_lock_irqsave(&lock, flags);
	end->out = (end->out & ~inputs) | outputs;
	end->latch = (end->latch & ~lines) | (levels & lines);
	writes += !!lines;
	fights |= ends[0].out & cross(ends[1].out);
	own = take_edges(end);
	far = take_edges(end->far);
	raw_spin_unlock_irqrestore(&lock, flags);

	raise_interrupts(end, own);
	raise_interrupts(end->far, far);
}

static int null_modem_get_direction(struct gpio_chip *gc, unsigned int offset)
{
	struct end *end = gpiochip_get_data(gc);

	return READ_ONCE(end->out) & BIT(offset) ? GPIO_LINE_DIRECTION_OUT : GPIO_LINE_DIRECTION_IN;
}

static int null_modem_direction_input(struct gpio_chip *gc, unsigned int offset)
{
	struct end *end = gpiochip_get_data(gc);

	drive(end, BIT(offset), 0, 0, 0);
	return 0;
}

static int null_modem_direction_output(struct gpio_chip *gc, unsigned int offset, int value)
{
	struct end *end = gpiochip_get_data(gc);

	drive(end, 0, BIT(offset), BIT(offset), value ? BIT(offset) : 0);
	return 0;
}

static int null_modem_get_multiple(struct gpio_chip *gc, unsigned long *mask, unsigned long *bits)
{
	struct end *end = gpiochip_get_data(gc);
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	bits[0] = (bits[0] & ~mask[0]) | (levels_of(end) & mask[0]);
	raw_spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static int null_modem_get(struct gpio_chip *gc, unsigned int offset)
{
	unsigned long mask = BIT(offset), bits = 0;

	null_modem_get_multiple(gc, &mask, &bits);
	return !!bits;
}

static int null_modem_set_multiple(struct gpio_chip *gc, unsigned long *mask, unsigned long *bits)
{
	struct end *end = gpiochip_get_data(gc);

	drive(end, 0, 0, mask[0], bits[0]);
	return 0;
}

static int null_modem_set(struct gpio_chip *gc, unsigned int offset, int value)
{
	unsigned long mask = BIT(offset), bits = value ? BIT(offset) : 0;

	return null_modem_set_multiple(gc, &mask, &bits);
}

/* As on bcm2835 a line that nobody holds is an input: what a dead process drove, ends with it. */
static void null_modem_free(struct gpio_chip *gc, unsigned int offset)
{
	null_modem_direction_input(gc, offset);
}

static void change_lines(u32 *lines, unsigned int offset, bool on)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	*lines = on ? *lines | BIT(offset) : *lines & ~BIT(offset);
	raw_spin_unlock_irqrestore(&lock, flags);
}

static void null_modem_irq_mask(struct irq_data *data)
{
	struct gpio_chip *gc = irq_data_get_irq_chip_data(data);
	struct end *end = gpiochip_get_data(gc);

	change_lines(&end->unmasked, irqd_to_hwirq(data), false);
	gpiochip_disable_irq(gc, irqd_to_hwirq(data));
}

static void null_modem_irq_unmask(struct irq_data *data)
{
	struct gpio_chip *gc = irq_data_get_irq_chip_data(data);
	struct end *end = gpiochip_get_data(gc);

	gpiochip_enable_irq(gc, irqd_to_hwirq(data));
	change_lines(&end->unmasked, irqd_to_hwirq(data), true);
}

static int null_modem_irq_set_type(struct irq_data *data, unsigned int type)
{
	struct end *end = gpiochip_get_data(irq_data_get_irq_chip_data(data));

	if (type & ~IRQ_TYPE_EDGE_BOTH)
		return -EINVAL;
	change_lines(&end->rising, irqd_to_hwirq(data), type & IRQ_TYPE_EDGE_RISING);
	change_lines(&end->falling, irqd_to_hwirq(data), type & IRQ_TYPE_EDGE_FALLING);
	return 0;
}

static const struct irq_chip null_modem_irq_chip = {
	.name = "null-modem",
	.irq_mask = null_modem_irq_mask,
	.irq_unmask = null_modem_irq_unmask,
	.irq_set_type = null_modem_irq_set_type,
	.flags = IRQCHIP_IMMUTABLE,
	GPIOCHIP_IRQ_RESOURCE_HELPERS,
};

static void unplug(void *data)
{
	struct end *end = data;

	WRITE_ONCE(end->plugged, false);
	synchronize_rcu();
	drive(end, ~0U, 0, ~0U, 0);
}

static int null_modem_probe(struct platform_device *pdev)
{
	struct end *end = &ends[pdev->id];
	struct gpio_irq_chip *girq = &end->gc.irq;
	unsigned int offset;
	int ret;

	memset(&end->gc, 0, sizeof(end->gc));
	kernel_param_lock(THIS_MODULE);
	end->gc.label = devm_kstrdup(&pdev->dev, labels[pdev->id], GFP_KERNEL);
	kernel_param_unlock(THIS_MODULE);
	for (offset = 0; offset < LINES; offset++)
		end->names[offset] = devm_kasprintf(&pdev->dev, GFP_KERNEL, "%c%u",
						    'A' + pdev->id, offset);
	if (!end->gc.label || !end->names[LINES - 1])
		return -ENOMEM;

	end->gc.parent = &pdev->dev;
	end->gc.owner = THIS_MODULE;
	end->gc.base = -1;
	end->gc.ngpio = LINES;
	end->gc.names = end->names;
	end->gc.free = null_modem_free;
	end->gc.get_direction = null_modem_get_direction;
	end->gc.direction_input = null_modem_direction_input;
	end->gc.direction_output = null_modem_direction_output;
	end->gc.get = null_modem_get;
	end->gc.set = null_modem_set;
	if (multiple) {
		end->gc.get_multiple = null_modem_get_multiple;
		end->gc.set_multiple = null_modem_set_multiple;
	}
	gpio_irq_chip_set_chip(girq, &null_modem_irq_chip);
	girq->handler = handle_simple_irq;
	girq->default_type = IRQ_TYPE_NONE;

	ret = devm_gpiochip_add_data(&pdev->dev, &end->gc, end);
	if (ret)
		return ret;
	WRITE_ONCE(end->plugged, true);
	/* Runs before the chip is taken away, because it is registered later. */
	return devm_add_action_or_reset(&pdev->dev, unplug, end);
}

static struct platform_driver null_modem_driver = {
	.driver = { .name = "null-modem" },
	.probe = null_modem_probe,
};

static int knob_get(void *data, u64 *value)
{
	*value = READ_ONCE(*(u32 *)data);
	return 0;
}

static int knob_set(void *data, u64 value)
{
	unsigned long edges[2], flags;

	raw_spin_lock_irqsave(&lock, flags);
	*(u32 *)data = value;
	edges[0] = take_edges(&ends[0]);
	edges[1] = take_edges(&ends[1]);
	raw_spin_unlock_irqrestore(&lock, flags);

	raise_interrupts(&ends[0], edges[0]);
	raise_interrupts(&ends[1], edges[1]);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(knob_fops, knob_get, knob_set, "0x%08llx\n");

static int __init null_modem_init(void)
{
	struct dentry *directory = debugfs_create_dir("null-modem", NULL);
	int id, ret = platform_driver_register(&null_modem_driver);

	for (id = 0; id < 2 && !ret; id++) {
		char *path = id ? "/null-modem-1" : "/null-modem-0";
		struct platform_device_info info = {
			.name = "null-modem",
			.id = id,
			.fwnode = of_fwnode_handle(of_find_node_by_path(path)),
		};

		ret = PTR_ERR_OR_ZERO(platform_device_register_full(&info));
	}
	debugfs_create_file_unsafe("cut", 0600, directory, &cut, &knob_fops);
	debugfs_create_file_unsafe("high", 0600, directory, &high, &knob_fops);
	debugfs_create_file_unsafe("fights", 0600, directory, &fights, &knob_fops);
	debugfs_create_file_unsafe("writes", 0600, directory, &writes, &knob_fops);
	return ret;
}
device_initcall(null_modem_init);

MODULE_DESCRIPTION("Two GPIO chips wired to each other, for tests");
MODULE_LICENSE("GPL");
