package internal.payorch.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Takes payments with Zuora.
 * Every mutating call carries a `request_id`. Sending the same request with the same `request_id` again is always safe.
 * Every error is a google.rpc.Status with one google.rpc.ErrorInfo (domain "payorch", reason from ErrorReason) and
 * a CallOutcome; `payorch-outcome` and `payorch-advice` are repeated as plain trailers. An error without a CallOutcome
 * means: outcome UNKNOWN, advice resend with the same request id.
 * Requests are sent uncompressed: compressed ones are refused with UNIMPLEMENTED and without details.
 * Metadata in: `zuora-track-id` (one value, 1 to 64 characters from 0x21 to 0x7E without : ; " ' ,), `traceparent`.
 * Metadata out: `zuora-track-id` in the trailers, and also in the initial metadata when the call takes longer than a
 * second.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class PaymentOrchestrationServiceGrpc {

  private PaymentOrchestrationServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "payorch.v1.PaymentOrchestrationService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.CreateSessionRequest,
      internal.payorch.v1.CreateSessionResponse> getCreateSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateSession",
      requestType = internal.payorch.v1.CreateSessionRequest.class,
      responseType = internal.payorch.v1.CreateSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.CreateSessionRequest,
      internal.payorch.v1.CreateSessionResponse> getCreateSessionMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.CreateSessionRequest, internal.payorch.v1.CreateSessionResponse> getCreateSessionMethod;
    if ((getCreateSessionMethod = PaymentOrchestrationServiceGrpc.getCreateSessionMethod) == null) {
      synchronized (PaymentOrchestrationServiceGrpc.class) {
        if ((getCreateSessionMethod = PaymentOrchestrationServiceGrpc.getCreateSessionMethod) == null) {
          PaymentOrchestrationServiceGrpc.getCreateSessionMethod = getCreateSessionMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.CreateSessionRequest, internal.payorch.v1.CreateSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateSession"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.CreateSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.CreateSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentOrchestrationServiceMethodDescriptorSupplier("CreateSession"))
              .build();
        }
      }
    }
    return getCreateSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.DecryptApplePayRequest,
      internal.payorch.v1.DecryptApplePayResponse> getDecryptApplePayMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DecryptApplePay",
      requestType = internal.payorch.v1.DecryptApplePayRequest.class,
      responseType = internal.payorch.v1.DecryptApplePayResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.DecryptApplePayRequest,
      internal.payorch.v1.DecryptApplePayResponse> getDecryptApplePayMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.DecryptApplePayRequest, internal.payorch.v1.DecryptApplePayResponse> getDecryptApplePayMethod;
    if ((getDecryptApplePayMethod = PaymentOrchestrationServiceGrpc.getDecryptApplePayMethod) == null) {
      synchronized (PaymentOrchestrationServiceGrpc.class) {
        if ((getDecryptApplePayMethod = PaymentOrchestrationServiceGrpc.getDecryptApplePayMethod) == null) {
          PaymentOrchestrationServiceGrpc.getDecryptApplePayMethod = getDecryptApplePayMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.DecryptApplePayRequest, internal.payorch.v1.DecryptApplePayResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DecryptApplePay"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.DecryptApplePayRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.DecryptApplePayResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentOrchestrationServiceMethodDescriptorSupplier("DecryptApplePay"))
              .build();
        }
      }
    }
    return getDecryptApplePayMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.CreatePaymentMethodRequest,
      internal.payorch.v1.CreatePaymentMethodResponse> getCreatePaymentMethodMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreatePaymentMethod",
      requestType = internal.payorch.v1.CreatePaymentMethodRequest.class,
      responseType = internal.payorch.v1.CreatePaymentMethodResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.CreatePaymentMethodRequest,
      internal.payorch.v1.CreatePaymentMethodResponse> getCreatePaymentMethodMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.CreatePaymentMethodRequest, internal.payorch.v1.CreatePaymentMethodResponse> getCreatePaymentMethodMethod;
    if ((getCreatePaymentMethodMethod = PaymentOrchestrationServiceGrpc.getCreatePaymentMethodMethod) == null) {
      synchronized (PaymentOrchestrationServiceGrpc.class) {
        if ((getCreatePaymentMethodMethod = PaymentOrchestrationServiceGrpc.getCreatePaymentMethodMethod) == null) {
          PaymentOrchestrationServiceGrpc.getCreatePaymentMethodMethod = getCreatePaymentMethodMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.CreatePaymentMethodRequest, internal.payorch.v1.CreatePaymentMethodResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreatePaymentMethod"))
              .setIdempotent(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.CreatePaymentMethodRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.CreatePaymentMethodResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentOrchestrationServiceMethodDescriptorSupplier("CreatePaymentMethod"))
              .build();
        }
      }
    }
    return getCreatePaymentMethodMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.GetIntentRequest,
      internal.payorch.v1.GetIntentResponse> getGetIntentMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetIntent",
      requestType = internal.payorch.v1.GetIntentRequest.class,
      responseType = internal.payorch.v1.GetIntentResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.GetIntentRequest,
      internal.payorch.v1.GetIntentResponse> getGetIntentMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.GetIntentRequest, internal.payorch.v1.GetIntentResponse> getGetIntentMethod;
    if ((getGetIntentMethod = PaymentOrchestrationServiceGrpc.getGetIntentMethod) == null) {
      synchronized (PaymentOrchestrationServiceGrpc.class) {
        if ((getGetIntentMethod = PaymentOrchestrationServiceGrpc.getGetIntentMethod) == null) {
          PaymentOrchestrationServiceGrpc.getGetIntentMethod = getGetIntentMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.GetIntentRequest, internal.payorch.v1.GetIntentResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetIntent"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.GetIntentRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.GetIntentResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentOrchestrationServiceMethodDescriptorSupplier("GetIntent"))
              .build();
        }
      }
    }
    return getGetIntentMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static PaymentOrchestrationServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentOrchestrationServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentOrchestrationServiceStub>() {
        @java.lang.Override
        public PaymentOrchestrationServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentOrchestrationServiceStub(channel, callOptions);
        }
      };
    return PaymentOrchestrationServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static PaymentOrchestrationServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentOrchestrationServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentOrchestrationServiceBlockingV2Stub>() {
        @java.lang.Override
        public PaymentOrchestrationServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentOrchestrationServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return PaymentOrchestrationServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static PaymentOrchestrationServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentOrchestrationServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentOrchestrationServiceBlockingStub>() {
        @java.lang.Override
        public PaymentOrchestrationServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentOrchestrationServiceBlockingStub(channel, callOptions);
        }
      };
    return PaymentOrchestrationServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static PaymentOrchestrationServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentOrchestrationServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentOrchestrationServiceFutureStub>() {
        @java.lang.Override
        public PaymentOrchestrationServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentOrchestrationServiceFutureStub(channel, callOptions);
        }
      };
    return PaymentOrchestrationServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Takes payments with Zuora.
   * Every mutating call carries a `request_id`. Sending the same request with the same `request_id` again is always safe.
   * Every error is a google.rpc.Status with one google.rpc.ErrorInfo (domain "payorch", reason from ErrorReason) and
   * a CallOutcome; `payorch-outcome` and `payorch-advice` are repeated as plain trailers. An error without a CallOutcome
   * means: outcome UNKNOWN, advice resend with the same request id.
   * Requests are sent uncompressed: compressed ones are refused with UNIMPLEMENTED and without details.
   * Metadata in: `zuora-track-id` (one value, 1 to 64 characters from 0x21 to 0x7E without : ; " ' ,), `traceparent`.
   * Metadata out: `zuora-track-id` in the trailers, and also in the initial metadata when the call takes longer than a
   * second.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Creates a payment session for Zuora's JavaScript library. Zuora: POST /web-payments/sessions.
     * </pre>
     */
    default void createSession(internal.payorch.v1.CreateSessionRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.CreateSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lets Zuora decrypt an Apple Pay token, create a payment method and, if asked, pay an invoice.
     * Zuora: POST /v1/payment-methods/decryption.
     * </pre>
     */
    default void decryptApplePay(internal.payorch.v1.DecryptApplePayRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.DecryptApplePayResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDecryptApplePayMethod(), responseObserver);
    }

    /**
     * <pre>
     * Creates a payment method. Zuora: POST /v2/payment_methods, or POST /v1/payment-methods for types that only v1
     * creates.
     * </pre>
     */
    default void createPaymentMethod(internal.payorch.v1.CreatePaymentMethodRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.CreatePaymentMethodResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreatePaymentMethodMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns what is known of an intent in the caller's own namespace. Sends nothing to Zuora.
     * </pre>
     */
    default void getIntent(internal.payorch.v1.GetIntentRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.GetIntentResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetIntentMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service PaymentOrchestrationService.
   * <pre>
   * Takes payments with Zuora.
   * Every mutating call carries a `request_id`. Sending the same request with the same `request_id` again is always safe.
   * Every error is a google.rpc.Status with one google.rpc.ErrorInfo (domain "payorch", reason from ErrorReason) and
   * a CallOutcome; `payorch-outcome` and `payorch-advice` are repeated as plain trailers. An error without a CallOutcome
   * means: outcome UNKNOWN, advice resend with the same request id.
   * Requests are sent uncompressed: compressed ones are refused with UNIMPLEMENTED and without details.
   * Metadata in: `zuora-track-id` (one value, 1 to 64 characters from 0x21 to 0x7E without : ; " ' ,), `traceparent`.
   * Metadata out: `zuora-track-id` in the trailers, and also in the initial metadata when the call takes longer than a
   * second.
   * </pre>
   */
  public static abstract class PaymentOrchestrationServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return PaymentOrchestrationServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service PaymentOrchestrationService.
   * <pre>
   * Takes payments with Zuora.
   * Every mutating call carries a `request_id`. Sending the same request with the same `request_id` again is always safe.
   * Every error is a google.rpc.Status with one google.rpc.ErrorInfo (domain "payorch", reason from ErrorReason) and
   * a CallOutcome; `payorch-outcome` and `payorch-advice` are repeated as plain trailers. An error without a CallOutcome
   * means: outcome UNKNOWN, advice resend with the same request id.
   * Requests are sent uncompressed: compressed ones are refused with UNIMPLEMENTED and without details.
   * Metadata in: `zuora-track-id` (one value, 1 to 64 characters from 0x21 to 0x7E without : ; " ' ,), `traceparent`.
   * Metadata out: `zuora-track-id` in the trailers, and also in the initial metadata when the call takes longer than a
   * second.
   * </pre>
   */
  public static final class PaymentOrchestrationServiceStub
      extends io.grpc.stub.AbstractAsyncStub<PaymentOrchestrationServiceStub> {
    private PaymentOrchestrationServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentOrchestrationServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentOrchestrationServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Creates a payment session for Zuora's JavaScript library. Zuora: POST /web-payments/sessions.
     * </pre>
     */
    public void createSession(internal.payorch.v1.CreateSessionRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.CreateSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lets Zuora decrypt an Apple Pay token, create a payment method and, if asked, pay an invoice.
     * Zuora: POST /v1/payment-methods/decryption.
     * </pre>
     */
    public void decryptApplePay(internal.payorch.v1.DecryptApplePayRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.DecryptApplePayResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDecryptApplePayMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Creates a payment method. Zuora: POST /v2/payment_methods, or POST /v1/payment-methods for types that only v1
     * creates.
     * </pre>
     */
    public void createPaymentMethod(internal.payorch.v1.CreatePaymentMethodRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.CreatePaymentMethodResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreatePaymentMethodMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns what is known of an intent in the caller's own namespace. Sends nothing to Zuora.
     * </pre>
     */
    public void getIntent(internal.payorch.v1.GetIntentRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.GetIntentResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetIntentMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service PaymentOrchestrationService.
   * <pre>
   * Takes payments with Zuora.
   * Every mutating call carries a `request_id`. Sending the same request with the same `request_id` again is always safe.
   * Every error is a google.rpc.Status with one google.rpc.ErrorInfo (domain "payorch", reason from ErrorReason) and
   * a CallOutcome; `payorch-outcome` and `payorch-advice` are repeated as plain trailers. An error without a CallOutcome
   * means: outcome UNKNOWN, advice resend with the same request id.
   * Requests are sent uncompressed: compressed ones are refused with UNIMPLEMENTED and without details.
   * Metadata in: `zuora-track-id` (one value, 1 to 64 characters from 0x21 to 0x7E without : ; " ' ,), `traceparent`.
   * Metadata out: `zuora-track-id` in the trailers, and also in the initial metadata when the call takes longer than a
   * second.
   * </pre>
   */
  public static final class PaymentOrchestrationServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<PaymentOrchestrationServiceBlockingV2Stub> {
    private PaymentOrchestrationServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentOrchestrationServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentOrchestrationServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Creates a payment session for Zuora's JavaScript library. Zuora: POST /web-payments/sessions.
     * </pre>
     */
    public internal.payorch.v1.CreateSessionResponse createSession(internal.payorch.v1.CreateSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lets Zuora decrypt an Apple Pay token, create a payment method and, if asked, pay an invoice.
     * Zuora: POST /v1/payment-methods/decryption.
     * </pre>
     */
    public internal.payorch.v1.DecryptApplePayResponse decryptApplePay(internal.payorch.v1.DecryptApplePayRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDecryptApplePayMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Creates a payment method. Zuora: POST /v2/payment_methods, or POST /v1/payment-methods for types that only v1
     * creates.
     * </pre>
     */
    public internal.payorch.v1.CreatePaymentMethodResponse createPaymentMethod(internal.payorch.v1.CreatePaymentMethodRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreatePaymentMethodMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns what is known of an intent in the caller's own namespace. Sends nothing to Zuora.
     * </pre>
     */
    public internal.payorch.v1.GetIntentResponse getIntent(internal.payorch.v1.GetIntentRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetIntentMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service PaymentOrchestrationService.
   * <pre>
   * Takes payments with Zuora.
   * Every mutating call carries a `request_id`. Sending the same request with the same `request_id` again is always safe.
   * Every error is a google.rpc.Status with one google.rpc.ErrorInfo (domain "payorch", reason from ErrorReason) and
   * a CallOutcome; `payorch-outcome` and `payorch-advice` are repeated as plain trailers. An error without a CallOutcome
   * means: outcome UNKNOWN, advice resend with the same request id.
   * Requests are sent uncompressed: compressed ones are refused with UNIMPLEMENTED and without details.
   * Metadata in: `zuora-track-id` (one value, 1 to 64 characters from 0x21 to 0x7E without : ; " ' ,), `traceparent`.
   * Metadata out: `zuora-track-id` in the trailers, and also in the initial metadata when the call takes longer than a
   * second.
   * </pre>
   */
  public static final class PaymentOrchestrationServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<PaymentOrchestrationServiceBlockingStub> {
    private PaymentOrchestrationServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentOrchestrationServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentOrchestrationServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Creates a payment session for Zuora's JavaScript library. Zuora: POST /web-payments/sessions.
     * </pre>
     */
    public internal.payorch.v1.CreateSessionResponse createSession(internal.payorch.v1.CreateSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lets Zuora decrypt an Apple Pay token, create a payment method and, if asked, pay an invoice.
     * Zuora: POST /v1/payment-methods/decryption.
     * </pre>
     */
    public internal.payorch.v1.DecryptApplePayResponse decryptApplePay(internal.payorch.v1.DecryptApplePayRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDecryptApplePayMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Creates a payment method. Zuora: POST /v2/payment_methods, or POST /v1/payment-methods for types that only v1
     * creates.
     * </pre>
     */
    public internal.payorch.v1.CreatePaymentMethodResponse createPaymentMethod(internal.payorch.v1.CreatePaymentMethodRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreatePaymentMethodMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns what is known of an intent in the caller's own namespace. Sends nothing to Zuora.
     * </pre>
     */
    public internal.payorch.v1.GetIntentResponse getIntent(internal.payorch.v1.GetIntentRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetIntentMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service PaymentOrchestrationService.
   * <pre>
   * Takes payments with Zuora.
   * Every mutating call carries a `request_id`. Sending the same request with the same `request_id` again is always safe.
   * Every error is a google.rpc.Status with one google.rpc.ErrorInfo (domain "payorch", reason from ErrorReason) and
   * a CallOutcome; `payorch-outcome` and `payorch-advice` are repeated as plain trailers. An error without a CallOutcome
   * means: outcome UNKNOWN, advice resend with the same request id.
   * Requests are sent uncompressed: compressed ones are refused with UNIMPLEMENTED and without details.
   * Metadata in: `zuora-track-id` (one value, 1 to 64 characters from 0x21 to 0x7E without : ; " ' ,), `traceparent`.
   * Metadata out: `zuora-track-id` in the trailers, and also in the initial metadata when the call takes longer than a
   * second.
   * </pre>
   */
  public static final class PaymentOrchestrationServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<PaymentOrchestrationServiceFutureStub> {
    private PaymentOrchestrationServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentOrchestrationServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentOrchestrationServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Creates a payment session for Zuora's JavaScript library. Zuora: POST /web-payments/sessions.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.CreateSessionResponse> createSession(
        internal.payorch.v1.CreateSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lets Zuora decrypt an Apple Pay token, create a payment method and, if asked, pay an invoice.
     * Zuora: POST /v1/payment-methods/decryption.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.DecryptApplePayResponse> decryptApplePay(
        internal.payorch.v1.DecryptApplePayRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDecryptApplePayMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Creates a payment method. Zuora: POST /v2/payment_methods, or POST /v1/payment-methods for types that only v1
     * creates.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.CreatePaymentMethodResponse> createPaymentMethod(
        internal.payorch.v1.CreatePaymentMethodRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreatePaymentMethodMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns what is known of an intent in the caller's own namespace. Sends nothing to Zuora.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.GetIntentResponse> getIntent(
        internal.payorch.v1.GetIntentRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetIntentMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_CREATE_SESSION = 0;
  private static final int METHODID_DECRYPT_APPLE_PAY = 1;
  private static final int METHODID_CREATE_PAYMENT_METHOD = 2;
  private static final int METHODID_GET_INTENT = 3;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_CREATE_SESSION:
          serviceImpl.createSession((internal.payorch.v1.CreateSessionRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.CreateSessionResponse>) responseObserver);
          break;
        case METHODID_DECRYPT_APPLE_PAY:
          serviceImpl.decryptApplePay((internal.payorch.v1.DecryptApplePayRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.DecryptApplePayResponse>) responseObserver);
          break;
        case METHODID_CREATE_PAYMENT_METHOD:
          serviceImpl.createPaymentMethod((internal.payorch.v1.CreatePaymentMethodRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.CreatePaymentMethodResponse>) responseObserver);
          break;
        case METHODID_GET_INTENT:
          serviceImpl.getIntent((internal.payorch.v1.GetIntentRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.GetIntentResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getCreateSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.CreateSessionRequest,
              internal.payorch.v1.CreateSessionResponse>(
                service, METHODID_CREATE_SESSION)))
        .addMethod(
          getDecryptApplePayMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.DecryptApplePayRequest,
              internal.payorch.v1.DecryptApplePayResponse>(
                service, METHODID_DECRYPT_APPLE_PAY)))
        .addMethod(
          getCreatePaymentMethodMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.CreatePaymentMethodRequest,
              internal.payorch.v1.CreatePaymentMethodResponse>(
                service, METHODID_CREATE_PAYMENT_METHOD)))
        .addMethod(
          getGetIntentMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.GetIntentRequest,
              internal.payorch.v1.GetIntentResponse>(
                service, METHODID_GET_INTENT)))
        .build();
  }

  private static abstract class PaymentOrchestrationServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    PaymentOrchestrationServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return internal.payorch.v1.PaymentOrchestrationServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("PaymentOrchestrationService");
    }
  }

  private static final class PaymentOrchestrationServiceFileDescriptorSupplier
      extends PaymentOrchestrationServiceBaseDescriptorSupplier {
    PaymentOrchestrationServiceFileDescriptorSupplier() {}
  }

  private static final class PaymentOrchestrationServiceMethodDescriptorSupplier
      extends PaymentOrchestrationServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    PaymentOrchestrationServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (PaymentOrchestrationServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new PaymentOrchestrationServiceFileDescriptorSupplier())
              .addMethod(getCreateSessionMethod())
              .addMethod(getDecryptApplePayMethod())
              .addMethod(getCreatePaymentMethodMethod())
              .addMethod(getGetIntentMethod())
              .build();
        }
      }
    }
    return result;
  }
}
