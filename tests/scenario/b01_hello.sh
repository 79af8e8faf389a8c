# SPDX-License-Identifier: Apache-2.0
# Five lines of YAML: exact output, nothing but data on standard output, the ledger on standard error.
assert_exit 0 weir run "$WEIR_SOURCE/configs/hello.yaml" >out
printf 'HELLO %d\n' 1 2 3 4 5 >expected
assert_file_equal out expected
assert_contains stderr "accepted 5 + derived 5 = delivered 5 + consumed 5, balanced"

assert_exit 0 weir run --json "$WEIR_SOURCE/configs/hello.yaml" >out
assert_file_equal out expected
assert_eq "$(final stderr exit_code) $(final stderr balanced) $(final stderr accepted) $(final stderr delivered)" "0 true 5 5" ledger
