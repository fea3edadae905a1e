# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads OpenMetrics 1.0 text strictly and says what is wrong with it; with
# -v prometheus=1 the text format of Prometheus. Prints "NAME VALUE" of each
# sample with -v show=1, and in brackets the label
# that is not the mount's.

function wrong(what)
{
	printf "line %d: %s: %s\n", NR, what, $0
	bad = 1
}

function begins(text, prefix)
{
	return substr(text, 1, length(prefix)) == prefix
}

function ends(text, suffix)
{
	return length(text) >= length(suffix) &&
		substr(text, length(text) - length(suffix) + 1) == suffix
}

# The end of a family: what can only be said of all its samples.
function family_end(    key)
{
	if (family == "")
		return
	if (!samples)
		wrong("no sample in " family)
	if (type == "histogram") {
		for (key in last_le) {
			if (last_le[key] != "+Inf")
				wrong("no +Inf in " family " " key)
			if (!(key in counted) || counted[key] != last_count[key])
				wrong("count of " family " " key)
			if (!(key in summed))
				wrong("sum of " family " " key)
		}
	}
	family = ""
	split("", last_le)
	split("", last_count)
	split("", counted)
	split("", summed)
}

function family_begin(name)
{
	if (name == family)
		return
	family_end()
	if (name in seen)
		wrong("family " name " comes twice")
	seen[name] = 1
	family = name
	samples = 0
	type = ""
	unit = ""
	help = 0
}

function metadata(    text)
{
	if ($3 !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*$/)
		wrong("name")
	family_begin($3)
	if (samples)
		wrong("metadata after samples")
	if ($2 == "TYPE") {
		if (type != "" || NF != 4)
			wrong("type")
		type = $4
		if (type !~ /^(counter|gauge|histogram|info)$/ ||
		    (prometheus && type == "info"))
			wrong("unknown type")
	} else if ($2 == "UNIT") {
		if (unit != "" || NF != 4 || prometheus)
			wrong("unit")
		unit = $4
		if (!ends($3, "_" unit))
			wrong("the unit is not in the name")
	} else if ($2 == "HELP") {
		text = $0
		sub(/^# HELP [^ ]* /, "", text)
		gsub(/\\[\\n"]/, "", text)
		if (help || text ~ /[\\"]/ || text == "")
			wrong("help")
		help = 1
	} else {
		wrong("metadata")
	}
}

# Takes the labels apart: label[NAME] = VALUE, as written.
function parse_labels(text,    name, value)
{
	split("", label)
	while (text != "") {
		if (!match(text, /^[a-zA-Z_][a-zA-Z0-9_]*="/)) {
			wrong("labels")
			return
		}
		name = substr(text, 1, RLENGTH - 2)
		text = substr(text, RLENGTH + 1)
		value = ""
		while (match(text, /^(\\[\\n"]|[^\\"])/)) {
			value = value substr(text, 1, RLENGTH)
			text = substr(text, RLENGTH + 1)
		}
		if (substr(text, 1, 1) != "\"")
			wrong("label without an end")
		if (name in label)
			wrong("label twice")
		label[name] = value
		text = substr(text, 2)
		if (substr(text, 1, 1) == ",") {
			text = substr(text, 2)
			if (text == "")
				wrong("comma at the end")
		} else if (text != "") {
			wrong("labels")
			return
		}
	}
}

function number_of(le)
{
	return le == "+Inf" ? 1e300 : le + 0
}

function histogram_sample(suffix, value,    key)
{
	key = label["step"]
	# cut out of a line it is text, and "10" comes before "9"
	value += 0
	if (suffix == "_bucket") {
		if (!("le" in label))
			wrong("no le")
		if (key in last_le && (value < last_count[key] ||
		    number_of(label["le"]) <= number_of(last_le[key])))
			wrong("buckets fall")
		last_le[key] = label["le"]
		last_count[key] = value
	} else if (suffix == "_count") {
		counted[key] = value
	} else if (suffix == "_sum") {
		summed[key] = value
	} else {
		wrong("suffix of a histogram")
	}
}

function sample(    name, labels, value, suffix, other, key)
{
	if (!match($0, /^[a-zA-Z_:][a-zA-Z0-9_:]*[{]/)) {
		wrong("sample")
		return
	}
	name = substr($0, 1, RLENGTH - 1)
	labels = substr($0, RLENGTH + 1)
	if (!match(labels, /[}] [0-9]+([.][0-9]+)?$/)) {
		wrong("value")
		return
	}
	value = substr(labels, RSTART + 2)
	labels = substr(labels, 1, RSTART - 1)
	parse_labels(labels)
	if (!("mount" in label))
		wrong("no mount")
	if (name " " labels in series)
		wrong("series twice")
	series[name " " labels] = 1
	samples++
	if (family == "" || !begins(name, family) || type == "" || !help) {
		wrong("sample without its family")
		return
	}
	suffix = substr(name, length(family) + 1)
	if (type == "histogram")
		histogram_sample(suffix, value)
	else if (!prometheus && type == "counter" && suffix != "_total")
		wrong("counter without _total")
	else if (prometheus && type == "counter" && !ends(name, "_total"))
		wrong("counter without _total")
	else if (type == "info" && (suffix != "_info" || value != 1))
		wrong("info")
	else if (type == "gauge" && suffix != "")
		wrong("gauge")
	if (show) {
		other = ""
		for (key in label)
			if (key != "mount" && key != "le")
				other = "[" label[key] "]"
		if (suffix != "_bucket")
			print name other, value
	}
}

ended { wrong("something after the end") }
/^# EOF$/ { family_end(); ended = 1; next }
/^# / { metadata(); next }
{ sample() }

END {
	family_end()
	if ((prometheus && ended) || (!prometheus && !ended)) {
		print "the end is wrong"
		bad = 1
	}
	exit bad
}
