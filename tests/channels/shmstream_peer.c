/*
 * The other end of an SHMStream version 2 channel, written from the format's description and not from our code.
 *
 *     shmstream_peer FILE
 *
 * maps the file, obeys one command a line on standard input, and answers each with one line:
 *
 *     start PROTOCOL SIZE EPOCH   begin a stream: "elements N"
 *     write HEX                   write an element, padded with zeros: "written N"
 *     begin                       announce an element without writing it, as a writer that dies there: "begun N"
 *     stop                        "stopped"
 *     read PROTOCOL               "inactive", "incompatible", "epoch SIZE ELEMENTS", "none", "overrun" or "data HEX"
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct header {
    uint64_t transport, epoch, protocol, size, elements, reserved, wsc, wc;
};

static const uint64_t MARKER = 0x487312b6b79a9b6dULL;
static volatile struct header *header;
static unsigned char *data;
static uint64_t region;
static struct { uint64_t epoch, size, elements, rc; } reader;

static void start(uint64_t protocol, uint64_t size, uint64_t epoch)
{
    header->epoch = 0;
    __sync_synchronize();
    header->transport = MARKER;
    header->protocol = protocol;
    header->size = size;
    header->elements = (region - sizeof *header) / size;
    header->reserved = header->wsc = header->wc = 0;
    __sync_synchronize();
    header->epoch = epoch;
    printf("elements %" PRIu64 "\n", header->elements);
}

static void write_element(const char *hex)
{
    uint64_t n = header->wc;
    unsigned char *at = data + n % header->elements * header->size;

    header->wsc = n + 1;
    __sync_synchronize();
    memset(at, 0, header->size);
    for (uint64_t i = 0; i < header->size && sscanf(hex + 2 * i, "%2hhx", at + i) == 1; i++)
        ;
    __sync_synchronize();
    header->wc = n + 1;
    printf("written %" PRIu64 "\n", header->wc);
}

static void read_element(uint64_t protocol)
{
    uint64_t epoch = header->epoch;
    static unsigned char copy[1 << 20];

    __sync_synchronize();
    if (epoch == 0) {
        reader.epoch = 0;
        puts("inactive");
        return;
    }
    if (epoch != reader.epoch) {
        uint64_t size = header->size, elements = header->elements;

        if (header->transport != MARKER || header->protocol != protocol || !size || size > sizeof copy ||
            elements > (region - sizeof *header) / size) {
            puts("incompatible");
            return;
        }
        reader.epoch = epoch, reader.size = size, reader.elements = elements, reader.rc = 0;
        printf("epoch %" PRIu64 " %" PRIu64 "\n", size, elements);
        return;
    }
    if (reader.rc >= header->wc) {
        puts("none");
        return;
    }
    __sync_synchronize();
    memcpy(copy, data + reader.rc % reader.elements * reader.size, reader.size);
    __sync_synchronize();
    if (header->wsc > reader.rc + reader.elements) {
        reader.rc = header->wc;
        puts("overrun");
        return;
    }
    reader.rc++;
    printf("data ");
    for (uint64_t i = 0; i < reader.size; i++)
        printf("%02x", copy[i]);
    puts("");
}

int main(int count, char **words)
{
    static char line[1 << 21], hex[1 << 21];
    uint64_t protocol, size, epoch;
    struct stat status;
    int fd;

    if (count != 2 || (fd = open(words[1], O_RDWR)) < 0 || fstat(fd, &status) < 0) {
        perror("shmstream_peer FILE");
        return 2;
    }
    region = status.st_size;
    header = mmap(NULL, region, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (header == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    data = (unsigned char *)header + sizeof *header;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "start %" SCNx64 " %" SCNu64 " %" SCNu64, &protocol, &size, &epoch) == 3)
            start(protocol, size, epoch);
        else if (sscanf(line, "write %2097151s", hex) == 1)
            write_element(hex);
        else if (!strcmp(line, "begin\n"))
            printf("begun %" PRIu64 "\n", ++header->wsc);
        else if (!strcmp(line, "stop\n"))
            header->epoch = 0, puts("stopped");
        else if (sscanf(line, "read %" SCNx64, &protocol) == 1)
            read_element(protocol);
        else
            puts("what?");
    }
    return 0;
}
