// SPDX-License-Identifier: MIT

/**
 * DOC: Injection of failures
 *
 * For tests. Each allocation, mapping, copy and lock step of SVM that may fail asks
 * here first. Writing N to nouveau_svm/fail-nth in debugfs makes the N-th question
 * from then on be answered by yes, once; 0 ends that. Reading tells how many
 * questions are to come until then, 0 if it has failed, and where the last failure
 * was. A test runs the same work with 1, 2, 3, ... until nothing fails any more.
 *
 * This file owns the count and the file in debugfs. It takes no lock, and may be
 * called from anywhere.
 */
#include "nouveau_svm_inject.h"

#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static struct dentry *nouveau_svm_inject_dir;
static atomic_long_t nouveau_svm_inject_left;
static const char *nouveau_svm_inject_func;
static unsigned int nouveau_svm_inject_line;

/**
 * nouveau_svm_inject() - May something fail here?
 * @func: name of the function
 * @line: line of the question
 *
 * Return: true if it is to fail now.
 */
bool
nouveau_svm_inject(const char *func, unsigned int line)
{
	if (atomic_long_dec_if_positive(&nouveau_svm_inject_left) != 0)
		return false;

	/* Pairs with READ_ONCE() in nouveau_svm_inject_show(). */
	WRITE_ONCE(nouveau_svm_inject_line, line);
	WRITE_ONCE(nouveau_svm_inject_func, func);
	return true;
}

static int
nouveau_svm_inject_show(struct seq_file *m, void *data)
{
	/* Pairs with WRITE_ONCE() in nouveau_svm_inject(). */
	const char *func = READ_ONCE(nouveau_svm_inject_func);

	seq_printf(m, "%ld %s:%u\n", atomic_long_read(&nouveau_svm_inject_left),
		   func ?: "-", READ_ONCE(nouveau_svm_inject_line));
	return 0;
}

static int
nouveau_svm_inject_open(struct inode *inode, struct file *file)
{
	return single_open(file, nouveau_svm_inject_show, NULL);
}

static ssize_t
nouveau_svm_inject_write(struct file *file, const char __user *buf, size_t count,
			 loff_t *ppos)
{
	unsigned long nth;
	int ret = kstrtoul_from_user(buf, count, 0, &nth);

	if (ret)
		return ret;
	if (nth > LONG_MAX)
		return -ERANGE;

	/* Pairs with READ_ONCE() in nouveau_svm_inject_show(). */
	WRITE_ONCE(nouveau_svm_inject_func, NULL);
	atomic_long_set(&nouveau_svm_inject_left, nth);
	return count;
}

static const struct file_operations nouveau_svm_inject_fops = {
	.owner = THIS_MODULE,
	.open = nouveau_svm_inject_open,
	.read = seq_read,
	.write = nouveau_svm_inject_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * nouveau_svm_inject_init() - Make the file in debugfs
 */
void
nouveau_svm_inject_init(void)
{
	nouveau_svm_inject_dir = debugfs_create_dir("nouveau_svm", NULL);
	debugfs_create_file("fail-nth", 0600, nouveau_svm_inject_dir, NULL,
			    &nouveau_svm_inject_fops);
}

/**
 * nouveau_svm_inject_exit() - Take it away
 */
void
nouveau_svm_inject_exit(void)
{
	debugfs_remove(nouveau_svm_inject_dir);
}
