// SPDX-License-Identifier: MIT
/*
 * Owns the command line and the process: makes a GPU, starts its threads,
 * serves clients, writes the ledger at the end.
 */
#include "gpu.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/control.h"
#include "ledger/ledger.h"
#include "ledger/trace.h"
#include "pci/vfio_user.h"

static const char usage[] =
	"Usage: gpu-model --socket=PATH [OPTION...]\n"
	"A Pascal GPU behind vfio-user, for QEMU's vfio-user-pci.\n"
	"\n"
	"  --socket=PATH         serve vfio-user here\n"
	"  --control=PATH        control socket, JSON lines\n"
	"  --ledger=FILE         write the counters here at exit (\"-\": stdout)\n"
	"  --chip=gp104|gp100    Tesla P4 (default) or Tesla P100\n"
	"  --vram=SIZE           256M to 8G, default 1G\n"
	"  --sms=N               streaming multiprocessors, default one a host core\n"
	"  --copy-engines=N      default 2\n"
	"  --topology=real|single  copy engines on runlists of their own (default), or all on runlist 0\n"
	"  --seed=N              of every pseudo-random choice, default 1\n"
	"  --late-invalidate     TLB invalidates may complete late\n"
	"  --deterministic       shader cores run inside the engine thread\n"
	"  --trace=FILE          record host events (implies --deterministic)\n"
	"  --replay=FILE         replay a trace, print the ledger; no socket\n"
	"  --bind-log            name each register that isn't modelled when it is touched first\n"
	"  --once                exit when the first client leaves\n"
	"  -v, --verbose         twice for more\n"
	"  -h, --help\n";

enum {
	OPT_SOCKET = 256, OPT_CONTROL, OPT_LEDGER, OPT_CHIP, OPT_VRAM, OPT_SMS, OPT_CES, OPT_TOPOLOGY, OPT_SEED,
	OPT_LATE, OPT_DETERMINISTIC, OPT_TRACE, OPT_REPLAY, OPT_BIND_LOG, OPT_ONCE,
};

static const struct option options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "ledger", required_argument, NULL, OPT_LEDGER },
	{ "chip", required_argument, NULL, OPT_CHIP },
	{ "vram", required_argument, NULL, OPT_VRAM },
	{ "sms", required_argument, NULL, OPT_SMS },
	{ "copy-engines", required_argument, NULL, OPT_CES },
	{ "topology", required_argument, NULL, OPT_TOPOLOGY },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "late-invalidate", no_argument, NULL, OPT_LATE },
	{ "deterministic", no_argument, NULL, OPT_DETERMINISTIC },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "replay", required_argument, NULL, OPT_REPLAY },
	{ "bind-log", no_argument, NULL, OPT_BIND_LOG },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static bool number(const char *s, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(s, &end, 0);
	return !errno && end != s && !*end && *s != '-' && *out <= max;
}

static bool size(const char *s, uint64_t *out)
{
	char *end;
	unsigned int shift;

	errno = 0;
	*out = strtoull(s, &end, 0);
	if (errno || end == s || *s == '-')
		return false;
	if (*end == 'M' || *end == 'm')
		shift = 20;
	else if (*end == 'G' || *end == 'g')
		shift = 30;
	else
		return false;
	if (*out >> (63 - shift))
		return false;
	*out <<= shift;
	return !end[1];
}

/* Return: false when @arg isn't a value of the option @opt. */
static bool set(struct gpu_config *cfg, int opt, const char *arg)
{
	uint64_t n;

	switch (opt) {
	case OPT_SOCKET:
		cfg->socket_path = arg;
		return true;
	case OPT_CONTROL:
		cfg->control_path = arg;
		return true;
	case OPT_LEDGER:
		cfg->ledger_path = arg;
		return true;
	case OPT_CHIP:
		cfg->chip = !strcmp(arg, "gp100") ? CHIP_GP100 : CHIP_GP104;
		return !strcmp(arg, "gp100") || !strcmp(arg, "gp104");
	case OPT_VRAM:
		return size(arg, &cfg->vram_size);
	case OPT_SMS:
		cfg->sms = number(arg, 1000, &n) ? (int)n : 0;
		return cfg->sms;
	case OPT_CES:
		cfg->copy_engines = number(arg, 1000, &n) ? (int)n : 0;
		return cfg->copy_engines;
	case OPT_TOPOLOGY:
		cfg->topology = !strcmp(arg, "single") ? TOPOLOGY_SINGLE : TOPOLOGY_REAL;
		return !strcmp(arg, "single") || !strcmp(arg, "real");
	case OPT_SEED:
		return number(arg, UINT64_MAX, &cfg->seed);
	case OPT_LATE:
		return cfg->late_invalidate = true;
	case OPT_DETERMINISTIC:
		return cfg->deterministic = true;
	case OPT_TRACE:
		cfg->trace_path = arg;
		return cfg->deterministic = true;
	case OPT_REPLAY:
		cfg->replay_path = arg;
		return true;
	case OPT_BIND_LOG:
		return cfg->bind_log = true;
	case OPT_ONCE:
		return cfg->once = true;
	case 'v':
		cfg->verbose++;
		return true;
	}
	return false;
}

static int command_line(struct gpu_config *cfg, int argc, char **argv)
{
	int opt, index = 0;

	while ((opt = getopt_long(argc, argv, "vh", options, &index)) != -1) {
		if (opt == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (opt == '?')
			return -EINVAL;
		if (!set(cfg, opt, optarg)) {
			fprintf(stderr, "gpu-model: --%s: \"%s\" is no value for it\n", options[index].name, optarg);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "gpu-model: what is \"%s\"?\n", argv[optind]);
		return -EINVAL;
	}
	if (!cfg->socket_path && !cfg->replay_path) {
		fprintf(stderr, "gpu-model: --socket=PATH or --replay=FILE is needed\n");
		return -EINVAL;
	}
	return 0;
}

static int replay(struct gpu *gpu)
{
	int ret = trace_replay(gpu, gpu->cfg.replay_path), wret;

	if (ret)
		fprintf(stderr, "gpu-model: %s: %s\n", gpu->cfg.replay_path, strerror(-ret));
	wret = ledger_write_json(gpu, gpu->cfg.ledger_path ? gpu->cfg.ledger_path : "-");
	return ret ? ret : wret;
}

static void quit(void *priv)
{
	vfu_stop(priv);
}

static int serve(struct gpu *gpu)
{
	const struct gpu_config *cfg = &gpu->cfg;
	struct control *control = NULL;
	struct vfu *vfu = NULL;
	int ret = 0, wret;

	if (cfg->trace_path) {
		ret = trace_record_new(gpu, cfg->trace_path, &gpu->trace);
		if (ret) {
			fprintf(stderr, "gpu-model: %s: %s\n", cfg->trace_path, strerror(-ret));
			return ret;
		}
	}
	ret = vfu_new(gpu, &vfu);
	if (!ret) {
		ret = control_new(gpu, cfg->control_path, quit, vfu, &control);
		if (ret)
			fprintf(stderr, "gpu-model: %s: %s\n", cfg->control_path ?: "control", strerror(-ret));
	}
	if (!ret)
		ret = gpu_start(gpu);
	if (!ret) {
		ret = vfu_serve(vfu, cfg->socket_path, cfg->once);
		if (ret)
			fprintf(stderr, "gpu-model: %s: %s\n", cfg->socket_path, strerror(-ret));
	}
	control_del(&control);
	gpu_stop(gpu);
	vfu_del(&vfu);
	if (gpu->trace)
		trace_event(gpu, "end");
	if (cfg->ledger_path) {
		wret = ledger_write_json(gpu, cfg->ledger_path);
		if (wret)
			fprintf(stderr, "gpu-model: %s: %s\n", cfg->ledger_path, strerror(-wret));
		ret = ret ? ret : wret;
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct gpu_config cfg;
	struct gpu *gpu;
	sigset_t set;
	int ret;

	gpu_config_default(&cfg);
	if (command_line(&cfg, argc, argv)) {
		fputs("gpu-model: --help lists the options\n", stderr);
		return 2;
	}
	if (cfg.replay_path) {
		ret = trace_config(cfg.replay_path, &cfg);
		if (ret) {
			fprintf(stderr, "gpu-model: %s: %s\n", cfg.replay_path,
				ret == -EINVAL ? "not a trace of this model" : strerror(-ret));
			return 1;
		}
	}
	/* Before any thread is made: the control thread takes them from a signalfd. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);

	ret = gpu_new(&cfg, &gpu);
	if (ret) {
		if (ret != -EINVAL)
			fprintf(stderr, "gpu-model: %s\n", strerror(-ret));
		return 1;
	}
	ret = cfg.replay_path ? replay(gpu) : serve(gpu);
	gpu_del(&gpu);
	return ret ? 1 : 0;
}
