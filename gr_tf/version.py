"""The version of gr_tf; a change that changes a result of any kind gets a new one."""

VERSION = "0.2.0"
