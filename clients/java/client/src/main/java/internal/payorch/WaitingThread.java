package internal.payorch;

import com.google.protobuf.Message;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;

/** A thread that waits for its call, and runs the steps of it meanwhile, so that they have its context. */
final class WaitingThread implements Executor {
  private final BlockingQueue<Runnable> steps = new LinkedBlockingQueue<>();

  @Override
  public void execute(Runnable step) {
    steps.add(step);
  }

  /** Returns the answer of a call. An interrupt cancels the call, and is still set afterwards. */
  <A extends Message> A await(Call<?, A> call) {
    var interrupted = false;
    call.future().whenComplete((answer, thrown) -> steps.add(() -> {}));
    while (!call.future().isDone()) {
      try {
        steps.take().run();
      } catch (InterruptedException e) {
        interrupted = true;
        call.giveUp("the thread was interrupted");
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    try {
      return call.future().join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }
}
