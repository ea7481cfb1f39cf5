/** Client of the payorch payment orchestration service; messages and stubs are in {@code internal.payorch.v1}. */
package internal.payorch;
