#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What vulkaninfo says of the GPU, against what a Pascal under NVK is: vk-info.py p4|p100.

Prints result lines of Documentation/testing.rst; vulkaninfo is the distribution's, without any variable set that
would choose a driver.
"""
import json
import re
import subprocess
import sys

BOARDS = {'p4': ('Tesla P4 (NVK GP104)', 0x1bb3), 'p100': ('Tesla P100-PCIE-16GB (NVK GP100)', 0x15f8)}
SUBGROUP = {'BASIC', 'VOTE', 'ARITHMETIC', 'BALLOT', 'SHUFFLE', 'SHUFFLE_RELATIVE', 'CLUSTERED', 'QUAD'}
FEATURES = {
    'VkPhysicalDeviceFeatures': ['shaderInt64', 'shaderInt16', 'shaderFloat64', 'robustBufferAccess'],
    'VkPhysicalDeviceVulkan11Features': ['storageBuffer16BitAccess', 'variablePointers'],
    'VkPhysicalDeviceVulkan12Features': ['bufferDeviceAddress', 'timelineSemaphore', 'shaderInt8', 'scalarBlockLayout',
                                         'storageBuffer8BitAccess', 'shaderBufferInt64Atomics', 'vulkanMemoryModel'],
    'VkPhysicalDeviceVulkan13Features': ['synchronization2', 'subgroupSizeControl', 'maintenance4'],
}
failed = False


def result(name, good, got):
    global failed
    failed |= not good
    print(f'PASS vulkaninfo/{name}' if good else f'FAIL vulkaninfo/{name}: {got}')


def main(board):
    name, device_id = BOARDS[board]
    # all drivers: the GPU comes first, before the software renderer
    summary = subprocess.run(['vulkaninfo', '--summary'], capture_output=True, text=True, check=True).stdout
    names = re.findall(r'deviceName\s*= (.*)', summary)
    result('listed', names[:1] == [name], names)
    subprocess.run(['vulkaninfo', '--json=0', '--output', '/tmp/vulkaninfo.json'], check=True, stdout=subprocess.DEVNULL)
    with open('/tmp/vulkaninfo.json') as f:
        device = json.load(f)['capabilities']['device']
    prop = device['properties']
    dev, v11, v12 = (prop['VkPhysicalDevice' + k] for k in ('Properties', 'Vulkan11Properties', 'Vulkan12Properties'))
    got = (dev['vendorID'], dev['deviceID'], dev['deviceType'], v12['driverID'])
    result('device', got == (0x10de, device_id, 'VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU', 'VK_DRIVER_ID_MESA_NVK'), got)
    result('subgroup-size', v11['subgroupSize'] == 32, v11['subgroupSize'])
    ops = {re.sub(r'VK_SUBGROUP_FEATURE_(.*)_BIT', r'\1', op) for op in v11['subgroupSupportedOperations']}
    result('subgroup-operations', SUBGROUP <= ops, sorted(SUBGROUP - ops))
    limits = dev['limits']
    got = (limits['maxComputeSharedMemorySize'], limits['maxComputeWorkGroupInvocations'])
    result('limits', got == (49152, 1024), got)
    missing = [f for struct, names in FEATURES.items() for f in names if not device['features'][struct].get(f)]
    result('features', not missing, missing)
    queues = [set(q['VkQueueFamilyProperties']['queueFlags']) for q in device['queueFamiliesProperties']]
    result('queue', {'VK_QUEUE_COMPUTE_BIT', 'VK_QUEUE_TRANSFER_BIT'} <= queues[0], queues)
    return failed


if __name__ == '__main__':
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else 'p4'))
