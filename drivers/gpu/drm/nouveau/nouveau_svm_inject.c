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
 * Writing "N FUNCTION" to nouveau_svm/fail-in makes the next N questions of that
 * function be answered by yes: something that goes on failing. Reading tells how
 * many are left.
 *
 * This file owns the counts and the files in debugfs. Its lock is a leaf, and it may
 * be called from anywhere.
 */
#include "nouveau_svm_inject.h"

#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

static struct dentry *nouveau_svm_inject_dir;
static atomic_long_t nouveau_svm_inject_left;
static const char *nouveau_svm_inject_func;
static unsigned int nouveau_svm_inject_line;

/* Protects the next two; the count may be looked at without. */
static DEFINE_SPINLOCK(nouveau_svm_inject_lock);
static char nouveau_svm_inject_in[64];
static unsigned long nouveau_svm_inject_in_left;

/* Is this the function that goes on failing? */
static bool
nouveau_svm_inject_in_func(const char *func)
{
	unsigned long flags;
	bool fail = false;

	/* Pairs with WRITE_ONCE() below and in nouveau_svm_inject_in_write(). */
	if (!READ_ONCE(nouveau_svm_inject_in_left))
		return false;

	spin_lock_irqsave(&nouveau_svm_inject_lock, flags);
	if (nouveau_svm_inject_in_left && !strcmp(func, nouveau_svm_inject_in)) {
		WRITE_ONCE(nouveau_svm_inject_in_left, nouveau_svm_inject_in_left - 1);
		fail = true;
	}
	spin_unlock_irqrestore(&nouveau_svm_inject_lock, flags);
	return fail;
}

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
	if (nouveau_svm_inject_in_func(func))
		return true;
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

static int
nouveau_svm_inject_in_show(struct seq_file *m, void *data)
{
	spin_lock_irq(&nouveau_svm_inject_lock);
	seq_printf(m, "%lu %s\n", nouveau_svm_inject_in_left, nouveau_svm_inject_in);
	spin_unlock_irq(&nouveau_svm_inject_lock);
	return 0;
}

static int
nouveau_svm_inject_in_open(struct inode *inode, struct file *file)
{
	return single_open(file, nouveau_svm_inject_in_show, NULL);
}

static ssize_t
nouveau_svm_inject_in_write(struct file *file, const char __user *buf, size_t count,
			    loff_t *ppos)
{
	char text[128], func[64] = "";
	unsigned long nr = 0;
	int args;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, count))
		return -EFAULT;
	text[count] = '\0';
	args = sscanf(text, "%lu %63s", &nr, func);
	if (args < 1 || (nr && args < 2))
		return -EINVAL;

	spin_lock_irq(&nouveau_svm_inject_lock);
	strscpy(nouveau_svm_inject_in, func);
	/* Pairs with READ_ONCE() in nouveau_svm_inject_in_func(). */
	WRITE_ONCE(nouveau_svm_inject_in_left, nr);
	spin_unlock_irq(&nouveau_svm_inject_lock);
	return count;
}

static const struct file_operations nouveau_svm_inject_in_fops = {
	.owner = THIS_MODULE,
	.open = nouveau_svm_inject_in_open,
	.read = seq_read,
	.write = nouveau_svm_inject_in_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * nouveau_svm_inject_init() - Make the files in debugfs
 */
void
nouveau_svm_inject_init(void)
{
	nouveau_svm_inject_dir = debugfs_create_dir("nouveau_svm", NULL);
	debugfs_create_file("fail-nth", 0600, nouveau_svm_inject_dir, NULL,
			    &nouveau_svm_inject_fops);
	debugfs_create_file("fail-in", 0600, nouveau_svm_inject_dir, NULL,
			    &nouveau_svm_inject_in_fops);
}

/**
 * nouveau_svm_inject_exit() - Take them away
 */
void
nouveau_svm_inject_exit(void)
{
	debugfs_remove(nouveau_svm_inject_dir);
}
