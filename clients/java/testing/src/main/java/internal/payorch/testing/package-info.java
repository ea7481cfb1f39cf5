/**
 * A double of the payorch service for the tests of its callers: in their process, without Zuora.
 *
 * <p>{@link internal.payorch.testing.FakePayorch} answers as the service does.
 */
package internal.payorch.testing;
