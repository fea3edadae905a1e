/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of a policy, both ways. Lists of nodes look as in libnuma, whose own
 * parser is no help: it complains on stderr and knows no nodes but those that
 * this machine has at the moment.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "placement/policy.h"

/* A part of the text, as "%.*s" wants it: enough of it to be recognized. */
#define WORD_BYTES 40
#define WORD(part) \
	((part).size < WORD_BYTES ? (int) (part).size : WORD_BYTES), (part).text

struct part {
	const char *text;
	size_t size;
};

struct parser {
	char *error;
	size_t error_size;
};

static const char *const modes[] = {
#define X(constant, name, meaning) name,
	HUGETMPFS_NUMA_MODES(X)
#undef X
};

const char *placement_mode_name(enum hugetmpfs_numa mode)
{
	return modes[mode];
}

__attribute__((format(printf, 2, 3))) static int
parser_fail(struct parser *parser, const char *format, ...)
{
	va_list args;

	if (!parser->error || !parser->error_size)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(parser->error, parser->error_size, format, args);
	va_end(args);
	/* it quotes what anybody may have written */
	for (char *c = parser->error; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return -EINVAL;
}

/* Cuts the text at the first c: returns what is before, rest gets the rest. */
static struct part part_cut(struct part text, char c, struct part *rest,
			    bool *found)
{
	const char *at = memchr(text.text, c, text.size);
	struct part before = text;

	*found = at;
	*rest = (struct part){ "", 0 };
	if (!at)
		return before;
	before.size = (size_t) (at - text.text);
	rest->text = at + 1;
	rest->size = text.size - before.size - 1;
	return before;
}

static int parse_mode(struct parser *parser, struct part word,
		      enum hugetmpfs_numa *mode)
{
	for (unsigned i = 0; i < HUGETMPFS_NR_NUMA_MODES; i++) {
		if (word.size == strlen(modes[i]) &&
		    !memcmp(word.text, modes[i], word.size)) {
			*mode = (enum hugetmpfs_numa) i;
			return 0;
		}
	}
	return parser_fail(parser,
			   "\"%.*s\" is no placement: write default, bind:NODES, "
			   "prefer:NODE, interleave:NODES or follow",
			   WORD(word));
}

static int parse_nodes(struct parser *parser, struct part list,
		       struct placement_rule *rule)
{
	const char *mode = modes[rule->mode];
	unsigned count;

	switch (nodeset_parse(list.text, list.size, &rule->nodes)) {
	case 0:
		break;
	case -ERANGE:
		return parser_fail(parser,
				   "\"%.*s\": nodes have numbers up to %d",
				   WORD(list), NODESET_NODES - 1);
	case -EDOM:
		return parser_fail(parser,
				   "\"%.*s\": a range of nodes ends before it "
				   "begins: write the lower one first",
				   WORD(list));
	default:
		return parser_fail(parser,
				   "\"%.*s\" is no list of nodes: write it as "
				   "0 or 0,2-3",
				   WORD(list));
	}
	count = nodeset_count(&rule->nodes);
	if (!count)
		return parser_fail(parser, "%s needs a node: write %s:0", mode,
				   mode);
	if (rule->mode == HUGETMPFS_NUMA_PREFER && count > 1)
		return parser_fail(parser,
				   "prefer takes one node, \"%.*s\" are %u: "
				   "for several use bind or interleave",
				   WORD(list), count);
	return 0;
}

static bool parse_index(struct part digits, uint64_t *index)
{
	*index = 0;
	for (size_t i = 0; i < digits.size; i++) {
		if (digits.text[i] < '0' || digits.text[i] > '9')
			return false;
		*index = *index * 10 + (uint64_t) (digits.text[i] - '0');
		if (*index >= HUGETMPFS_MAX_EXTENTS)
			return false;
	}
	return digits.size;
}

/* FIRST-LAST, indexes of extents, or FIRST-: to the end. */
static int parse_range(struct parser *parser, struct part range,
		       struct placement_rule *rule)
{
	struct part first, last;
	bool dash;

	first = part_cut(range, '-', &last, &dash);
	rule->last = PLACEMENT_TO_END;
	if (!dash || !parse_index(first, &rule->first) ||
	    (last.size && !parse_index(last, &rule->last)))
		return parser_fail(parser,
				   "\"@%.*s\" is no range of extents: write "
				   "@FIRST-LAST or @FIRST-",
				   WORD(range));
	if (rule->last < rule->first)
		return parser_fail(parser,
				   "\"@%.*s\": the range ends before it begins: "
				   "write the lower extent first",
				   WORD(range));
	return 0;
}

/* MODE[:NODES][@RANGE] */
static int parse_rule(struct parser *parser, struct part text,
		      struct placement_rule *rule)
{
	struct part range, mode, nodes;
	bool has_range, has_nodes;
	int ret;

	memset(rule, 0, sizeof(*rule));
	rule->last = PLACEMENT_TO_END;
	text = part_cut(text, '@', &range, &has_range);
	mode = part_cut(text, ':', &nodes, &has_nodes);
	ret = parse_mode(parser, mode, &rule->mode);
	if (ret)
		return ret;
	if (rule->mode == HUGETMPFS_NUMA_DEFAULT ||
	    rule->mode == HUGETMPFS_NUMA_FOLLOW) {
		if (has_nodes)
			return parser_fail(parser, "%s takes no nodes",
					   modes[rule->mode]);
	} else {
		ret = parse_nodes(parser, nodes, rule);
		if (ret)
			return ret;
	}
	return has_range ? parse_range(parser, range, rule) : 0;
}

int placement_parse(const char *text, size_t size,
		    struct placement_policy *policy, char *error,
		    size_t error_size)
{
	struct parser parser = { error, error_size };
	struct part word, rest = { text, size };
	bool more = true;
	int ret;

	policy->nr = 0;
	if (size >= HUGETMPFS_NUMA_BYTES)
		return parser_fail(&parser,
				   "the policy is too long: at most %d bytes",
				   HUGETMPFS_NUMA_BYTES - 1);
	while (more) {
		word = part_cut(rest, ' ', &rest, &more);
		if (!word.size)
			continue;
		if (policy->nr == HUGETMPFS_NUMA_RULES)
			return parser_fail(&parser,
					   "the policy has too many rules: at "
					   "most %d",
					   HUGETMPFS_NUMA_RULES);
		ret = parse_rule(&parser, word, &policy->rules[policy->nr]);
		if (ret)
			return ret;
		policy->nr++;
	}
	return policy->nr ? 0
			  : parser_fail(&parser, "the policy is empty: write "
						 "default, bind:NODES, "
						 "prefer:NODE, interleave:NODES "
						 "or follow");
}

bool placement_from_mpol(const char *mpol, const struct nodeset *there,
			 struct placement_rule *rule)
{
	struct part mode, flags, nodes, text = { mpol, strlen(mpol) };
	struct parser parser = { NULL, 0 };
	bool has_nodes, has_flags;

	memset(rule, 0, sizeof(*rule));
	rule->last = PLACEMENT_TO_END;
	mode = part_cut(text, ':', &nodes, &has_nodes);
	mode = part_cut(mode, '=', &flags, &has_flags);
	if ((has_flags && (flags.size != strlen("static") ||
			   memcmp(flags.text, "static", flags.size))) ||
	    parse_mode(&parser, mode, &rule->mode) ||
	    rule->mode == HUGETMPFS_NUMA_FOLLOW)
		goto out_default;
	if (rule->mode == HUGETMPFS_NUMA_DEFAULT)
		return true;
	if (rule->mode == HUGETMPFS_NUMA_INTERLEAVE && !has_nodes)
		rule->nodes = *there;
	else if (parse_nodes(&parser, nodes, rule))
		goto out_default;
	if (nodeset_count(&rule->nodes))
		return true;
out_default:
	rule->mode = HUGETMPFS_NUMA_DEFAULT;
	rule->nodes = (struct nodeset){ 0 };
	return false;
}

/* A text that is written, and how long it would be if it had room. */
struct writer {
	char *text;
	size_t size;
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void
writer_put(struct writer *writer, const char *format, ...)
{
	bool room = writer->length < writer->size;
	va_list args;

	va_start(args, format);
	writer->length += (size_t) vsnprintf(
		room ? writer->text + writer->length : NULL,
		room ? writer->size - writer->length : 0, format, args);
	va_end(args);
}

static void format_rule(struct writer *writer, const struct placement_rule *rule)
{
	char nodes[HUGETMPFS_NUMA_BYTES];

	writer_put(writer, "%s", modes[rule->mode]);
	if (nodeset_format(&rule->nodes, nodes, sizeof(nodes)))
		writer_put(writer, ":%s", nodes);
	if (rule->last != PLACEMENT_TO_END)
		writer_put(writer, "@%llu-%llu",
			   (unsigned long long) rule->first,
			   (unsigned long long) rule->last);
	else if (rule->first)
		writer_put(writer, "@%llu-", (unsigned long long) rule->first);
}

size_t placement_format(const struct placement_policy *policy, char *text,
			size_t size)
{
	struct writer writer = { text, size, 0 };

	writer_put(&writer, "%s", "");
	for (unsigned i = 0; i < policy->nr; i++) {
		if (i)
			writer_put(&writer, " ");
		format_rule(&writer, &policy->rules[i]);
	}
	return writer.length;
}
